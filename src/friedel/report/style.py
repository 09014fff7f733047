"""How the pages look."""

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
img{max-width:100%;height:auto} table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .7rem;text-align:right;border-bottom:1px solid #ddd} th:first-child,td:first-child{text-align:left}
td.text,th.text{text-align:left} tr.failed{background:#fff4e0} tr.noted{background:#eef3fa}
.warning{background:#fff4e0;border-left:4px solid #d95f02;padding:.4rem .8rem;margin:.4rem 0}
details{margin:1rem 0} pre{white-space:pre-wrap;background:#f6f6f6;padding:.8rem}
"""
