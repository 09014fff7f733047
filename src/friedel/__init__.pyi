"""The public names and their types; `lazy_loader` reads from here what `friedel.NAME` is."""

from .detections import Detections as Detections
from .dispersion_fit.fourier_ring import RingFit as RingFit
from .errors import (
    FriedelError as FriedelError,
    FriedelWarning as FriedelWarning,
    ModelError as ModelError,
    PhysicsError as PhysicsError,
    SettingsError as SettingsError,
    StackError as StackError,
)
from .file_job import FileResult as FileResult
from .finetuning.tuner import fine_tune as fine_tune, iter_fine_tune as iter_fine_tune
from .given_points import refit_points as refit_points
from .io import open_stack as open_stack
from .io.export import write_stack as write_stack
from .io.points import read_points as read_points, write_points as write_points
from .many import detect_many as detect_many
from .models.model import Model as Model
from .models.registry import (
    ModelInfo as ModelInfo,
    list_models as list_models,
    load_model as load_model,
    save_model as save_model,
)
from .physics.dispersion import Dispersion as Dispersion
from .physics.simulate import Simulation as Simulation, simulate as simulate
from .pipeline import detect as detect, iter_detect as iter_detect
from .prepare.band import fit_dispersion as fit_dispersion
from .progress import Progress as Progress, drain as drain
from .report.html import write_report as write_report
from .report.summary import SummaryRow as SummaryRow, write_summary as write_summary
from .scoring.metrics import Scores as Scores, evaluate as evaluate
from .settings import (
    BandSettings as BandSettings,
    DetectSettings as DetectSettings,
    EvaluateSettings as EvaluateSettings,
    FineTuneSettings as FineTuneSettings,
    ImportSettings as ImportSettings,
    PrepareSettings as PrepareSettings,
    RecipeSettings as RecipeSettings,
    RefitSettings as RefitSettings,
    SampleSettings as SampleSettings,
    SimulateSettings as SimulateSettings,
    TrainSettings as TrainSettings,
    settings_of as settings_of,
)
from .settings.copying import as_command as as_command, as_python as as_python
from .stack import make_stack as make_stack

__version__: str
