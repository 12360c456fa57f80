#include "cli/report.h"

namespace lens::cli {

std::string_view reportStyle()
{
    return R"css(
:root { color-scheme: light dark; --bg: #f4f5f7; --panel: #fff; --ink: #1d2330; --soft: #626b7c; --line: #dfe3ea;
  --accent: #0b63ce; --user: #dfeafa; --doubt: 214, 69, 49; --mark: #c97a00; --warn: #9a5b00;
  --s0: #0b63ce; --s1: #c2410c; --s2: #0f8a5f; --s3: #7a3fc4; --s4: #b0306a; --s5: #5d6470; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171c; --panel: #1c2027; --ink: #e4e7ec; --soft: #98a2b3;
  --line: #2e343e; --accent: #6aa9ff; --user: #223552; --doubt: 238, 96, 76; --mark: #f0a93b; --warn: #f0b45c;
  --s0: #6aa9ff; --s1: #ff9b66; --s2: #53cf9f; --s3: #b794f6; --s4: #f582b0; --s5: #a4adba; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 15px/1.55 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; font-weight: 650; margin: 0 0 2px; letter-spacing: -.01em; }
h2 { font-size: 18px; font-weight: 650; margin: 44px 0 12px; }
h3 { font-size: 15px; font-weight: 650; margin: 24px 0 4px; }
p { margin: 0 0 10px; max-width: 78ch; }
.soft { color: var(--soft); }
.small { font-size: 13px; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px;
  overflow-x: auto; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 16px; align-items: start; }
.columns > .panel, .columns > .panel + .panel { min-width: 0; margin-top: 0; }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; }
.swatch.s0 { background: var(--s0); } .swatch.s1 { background: var(--s1); } .swatch.s2 { background: var(--s2); }
.swatch.s3 { background: var(--s3); } .swatch.s4 { background: var(--s4); } .swatch.s5 { background: var(--s5); }
.name { font-weight: 650; overflow-wrap: anywhere; }
.badge { font-size: 12px; color: var(--warn); border: 1px solid currentColor; border-radius: 99px; padding: 1px 8px;
  margin-left: 8px; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 12px 0 0; font-size: 13.5px; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.prompt { background: var(--user); border-radius: 10px; padding: 10px 14px; margin: 0 0 16px; white-space: pre-wrap;
  overflow-wrap: anywhere; max-width: none; }
.prompt .who { display: block; font-size: 12px; color: var(--soft); }
.answer { white-space: pre-wrap; overflow-wrap: anywhere; margin: 12px 0 0; line-height: 1.75; min-height: 3em; }
.answer span { border-radius: 3px; padding: 2px 0; background: rgba(var(--doubt), calc(var(--p) * .42)); }
.answer span.first { outline: 2px solid var(--mark); outline-offset: 1px; }
.answer .visible { opacity: .45; }
.cost { border-top: 1px solid var(--line); margin: 14px 0 0; padding-top: 10px; font-size: 13px; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.error { color: var(--warn); }
.numbers { display: flex; flex-wrap: wrap; gap: 6px 36px; margin: 4px 0 10px; }
.numbers div { min-width: 110px; }
.numbers b { display: block; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
.numbers span { font-size: 12.5px; color: var(--soft); }
main > .panel + .panel, .columns + .panel, .panel + .columns { margin-top: 16px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: 4px 12px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody tr:last-child td { border-bottom: 0; }
svg { display: block; width: 100%; height: auto; min-width: 560px; max-width: 1060px; margin: 6px 0 0; font-size: 12px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 0 24px; }
.pair svg { min-width: 380px; }
svg text { fill: var(--soft); }
svg .name { fill: var(--ink); font-weight: 500; }
svg .marklabel { fill: var(--mark); }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .mark { stroke: var(--mark); stroke-width: 1.5; stroke-dasharray: 4 3; }
svg .bar rect { fill: var(--accent); }
svg .bar rect.hit { fill: transparent; }
svg .bar:hover rect:not(.hit) { fill: var(--mark); }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .s0 { stroke: var(--s0); } svg .s1 { stroke: var(--s1); } svg .s2 { stroke: var(--s2); }
svg .s3 { stroke: var(--s3); } svg .s4 { stroke: var(--s4); } svg .s5 { stroke: var(--s5); }
svg .cell { stroke: var(--panel); stroke-width: .6; }
svg .cell:hover { stroke: var(--ink); stroke-width: 1.6; }
svg image { image-rendering: pixelated; }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }
@media print { body { background: #fff; } .panel { break-inside: avoid; } }
)css";
}

} // namespace lens::cli
