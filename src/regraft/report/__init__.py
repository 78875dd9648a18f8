"""One self-contained HTML file on what a run gained, kept and cost; each figure names the artifacts behind it."""

from regraft.report.render import headline, write_report
from regraft.report.sections import FigureRecord, ReportIndex, load_index

__all__ = ["FigureRecord", "ReportIndex", "headline", "load_index", "write_report"]
