"""How the page of a report looks: light or dark as its reader prefers, at any width, and on paper."""

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#5b6572;--line:#dfe3e8;
--submitted:#2563c9;--completed:#2f9e67;--failed:#d64545;--cancelled:#9aa3ae}
@media (prefers-color-scheme:dark){:root{--page:#12151a;--card:#1b2027;--ink:#e8ebef;--soft:#9ba6b3;--line:#323a44;
--submitted:#7db1ff;--completed:#46b881;--failed:#f07070;--cancelled:#717c89}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,
"Segoe UI",Roboto,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1rem;margin:0 0 .75rem}
p{margin:0}
.soft,footer{color:var(--soft)}
footer{font-size:.85rem;margin-top:1.5rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.1rem;margin-top:1rem}
.tiles{display:grid;grid-template-columns:repeat(5,1fr);gap:.75rem;margin-top:1.5rem}
.tile{background:var(--card);border:1px solid var(--line);border-top:3px solid var(--mark,var(--line));
border-radius:.6rem;padding:.7rem .9rem}
.tile b{display:block;font-size:1.5rem;line-height:1.25;font-variant-numeric:tabular-nums}
.pair{display:grid;grid-template-columns:1fr 2fr;gap:1rem;align-items:start}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
.narrow svg{display:none}
.grid{stroke:var(--line)}.axis{stroke:var(--soft)}
.tip{fill:transparent}.tip:hover{fill:var(--ink);fill-opacity:.08}
rect.completed{fill:var(--completed)}rect.failed{fill:var(--failed)}rect.cancelled{fill:var(--cancelled)}
polyline.submitted{fill:none;stroke:var(--submitted);stroke-width:2;stroke-linejoin:round}
circle.submitted{fill:var(--submitted)}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;padding:0;margin:0 0 .6rem;list-style:none;font-size:.85rem;
color:var(--soft)}
.legend li::before{content:"";display:inline-block;width:.7rem;height:.7rem;border-radius:2px;margin-right:.4rem;
background:var(--mark)}
.legend li.as-line::before{height:3px;vertical-align:.25rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.35rem .5rem;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere}
th{color:var(--soft);font-weight:600}
tr:last-child>*{border-bottom:0}
.actions tbody th{min-width:9rem}tbody th{color:inherit;font-weight:500}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}
.audit table{table-layout:fixed}
.audit th:nth-child(1){width:13%}.audit th:nth-child(3){width:9%}
.audit th:nth-child(2),.audit th:nth-child(5){width:19%}.audit th:nth-child(4){width:18%}
code{font:.85em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
time{font-variant-numeric:tabular-nums}
@media (max-width:40rem){
main{padding:1.25rem .75rem}.tiles{grid-template-columns:1fr 1fr}.pair{grid-template-columns:minmax(0,1fr);gap:0}
.wide svg{display:none}.narrow svg{display:block}
.tile:last-child{grid-column:1/-1}.narrow polyline{stroke-width:1.25}.narrow circle{r:2px}
.actions tr{display:grid;grid-template-columns:repeat(4,1fr);border-bottom:1px solid var(--line)}
.actions th,.actions td{border:0}.actions thead th:first-child{display:none}.actions thead th{font-size:.75rem}
.actions tbody th{grid-column:1/-1;padding-bottom:0}
.audit thead{display:none}.audit tr{display:block;border-bottom:1px solid var(--line);padding:.45rem 0}
.audit td{display:inline-block;max-width:100%;border:0;padding:0 .6rem 0 0}.audit td:last-child{display:block}
section{padding:.9rem .8rem}th,td{padding:.35rem .3rem}}
@media print{
:root{color-scheme:light;--page:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;
--submitted:#2563c9;--completed:#2f9e67;--failed:#d64545;--cancelled:#9aa3ae}
body{font-size:10pt}main{max-width:none;padding:0}
svg *,.tile,.legend li::before{print-color-adjust:exact;-webkit-print-color-adjust:exact}
section,.tile,tr{break-inside:avoid}section.audit{break-inside:auto}h2{break-after:avoid}thead{display:table-header-group}}
"""
