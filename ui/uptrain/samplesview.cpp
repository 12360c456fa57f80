#include "uptrain/samplesview.h"

#include "bridge/format.h"
#include "bridge/theme.h"

#include <QEvent>
#include <QLocale>

#include <algorithm>
#include <utility>

namespace lens {
namespace {

constexpr std::size_t MostShown = 100;

QString html(const std::string &utf8)
{
    return text(utf8).toHtmlEscaped().replace(QLatin1Char('\n'), QStringLiteral("<br>"));
}

} // namespace

SamplesView::SamplesView(QWidget *parent) : QTextBrowser(parent)
{
    setAccessibleName(tr("Samples of both models"));
    setFrameShape(QFrame::NoFrame);
    setOpenLinks(false);
    write();
}

void SamplesView::setMetrics(const std::shared_ptr<const TrainingMetrics> &metrics)
{
    const bool sameRun = metrics == std::exchange(m_metrics, metrics);
    const std::size_t count = metrics ? metrics->samples.size() : 0;
    const std::int64_t newest = count > 0 ? metrics->samples.back().step : -1;
    if (sameRun && count == m_count && newest == m_newest && count > 0)
        return;
    m_count = count;
    m_newest = newest;
    write();
}

void SamplesView::write()
{
    const Colours colours(palette());
    const QString muted = colours.muted.name();
    if (m_count == 0) {
        setHtml(QStringLiteral("<p style='color:%1'>%2</p>")
                    .arg(muted, tr("Texts that the model writes while it is trained appear here, beside those of its "
                                   "original. How often is a choice of the run.")));
        return;
    }
    QString page;
    const std::size_t shown = std::min(m_count, MostShown);
    for (std::size_t i = 0; i < shown; ++i) {
        const SampleMetrics &sample = m_metrics->samples[m_count - 1 - i];
        page += QStringLiteral("<p><b>%1</b></p>")
                    .arg(tr("Step %1").arg(QLocale().toString(qlonglong(sample.step))).toHtmlEscaped());
        page += QStringLiteral("<p><span style='color:%1'>%2</span>%3</p>")
                    .arg(muted, html(sample.prompt), html(sample.text));
        if (!sample.originalText.empty())
            page += QStringLiteral("<p style='color:%1'>%2<br>%3%4</p>")
                        .arg(muted, tr("The original:"), html(sample.prompt), html(sample.originalText));
        if (i + 1 < shown)
            page += QStringLiteral("<hr>");
    }
    setHtml(page);
}

void SamplesView::changeEvent(QEvent *event)
{
    QTextBrowser::changeEvent(event);
    if (event->type() == QEvent::PaletteChange)
        write();
}

} // namespace lens
