#include "lens/matrixtriptych.h"

#include "lens/attentionsource.h"
#include "lens/dockheader.h"

#include <QGridLayout>
#include <QMenu>

#include <algorithm>
#include <cmath>

namespace lens {

namespace {

constexpr int TitleMargin = 8;
constexpr double TitleFontShare = 0.92;
constexpr qsizetype MostNamedTokens = 14;
constexpr int WidthForNames = 240;  ///< pixels of a panel from which token texts leave room for cells
constexpr int NameLimit = 8;        ///< characters
constexpr double Decades = 4;       ///< of a logarithmic scale; below lies rounding
/// The first rows have few tokens to share their weight and would leave the rest dark: the scale ends at this share
/// of all weights.
constexpr double ShownShare = 0.98;

} // namespace

MatrixTriptych::MatrixTriptych(QWidget *parent) : QWidget(parent)
{
    auto *layout = new QGridLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->setRowStretch(1, 1);
    QFont smaller = font();
    smaller.setPointSizeF(smaller.pointSizeF() * TitleFontShare);
    for (int panel = First; panel <= Difference; ++panel) {
        const auto at = std::size_t(panel);
        m_titles[at] = new ElidedLabel(this);
        m_titles[at]->setMuted(false);
        m_titles[at]->setFont(smaller);
        m_titles[at]->setContentsMargins(TitleMargin, 0, 2, 0);
        m_plots[at] = new HeatMapPlot(this);
        m_plots[at]->setSquare(true);
        layout->addWidget(m_titles[at], 0, panel);
        layout->addWidget(m_plots[at], 1, panel);
        layout->setColumnStretch(panel, 1);
        connect(m_plots[at], &HeatMapPlot::cellChosen, this, [this](qint64 row) { Q_EMIT tokenChosen(row); });
    }
    m_plots[Second]->setColors(ColorScale::Magnitude, tr("same scale"), ColorBar::Below);
    m_plots[Difference]->setColors(ColorScale::Difference, tr("B − A, top 2 % cut"), ColorBar::Below);
    m_titles[Difference]->setFullText(tr("Difference"));
    m_plots[Difference]->setTitle(tr("Attention, difference"));
    showTicks();
}

void MatrixTriptych::setTokens(const QStringList &tokens)
{
    m_tokens = tokens;
    m_matrices = {};
    showTicks();
    showMatrices();
}

void MatrixTriptych::setNames(const QString &first, const QString &second)
{
    m_titles[First]->setFullText(first);
    m_titles[Second]->setFullText(second);
    m_plots[First]->setTitle(tr("Attention, %1").arg(first));
    m_plots[Second]->setTitle(tr("Attention, %1").arg(second));
    m_plots[Difference]->setTitle(tr("Attention, %2 minus %1").arg(first, second));
}

void MatrixTriptych::setMatrix(int side, std::optional<Matrix> matrix)
{
    m_matrices[std::size_t(side)] = std::move(matrix);
    showMatrices();
}

void MatrixTriptych::setDifferenceRefused(const QString &reason)
{
    m_refused = reason;
    showMatrices();
}

void MatrixTriptych::setHints(const QString &first, const QString &second)
{
    m_hints = {first, second};
    showMatrices();
}

void MatrixTriptych::setLogarithmic(bool logarithmic)
{
    m_logarithmic = logarithmic;
    showMatrices();
}

void MatrixTriptych::setChosen(qint64 token)
{
    for (HeatMapPlot *plot : m_plots)
        plot->setChosen(token < m_tokens.size() ? token : -1, -1);
}

void MatrixTriptych::addActionsTo(QMenu *menu)
{
    for (std::size_t panel = 0; panel < m_plots.size(); ++panel)
        m_plots[panel]->addActionsTo(menu->addMenu(m_titles[panel]->text()));
}

ValueRange MatrixTriptych::sharedRange() const
{
    double largest = 0;
    std::vector<const Matrix *> matrices;
    for (const std::optional<Matrix> &matrix : m_matrices) {
        if (!matrix)
            continue;
        matrices.push_back(&*matrix);
        const ValueRange range = causalRange(*matrix, false);
        largest = std::max({largest, range.upper, -range.lower});
    }
    if (m_logarithmic)
        return {largest * std::pow(10, -Decades), largest};
    const double most = causalQuantile(matrices, ShownShare);
    return {0, most > 0 ? most : largest};
}

bool MatrixTriptych::hasNegative() const
{
    return std::any_of(m_matrices.begin(), m_matrices.end(), [](const std::optional<Matrix> &matrix) {
        return matrix && causalRange(*matrix, false).lower < 0;
    });
}

void MatrixTriptych::setErrors(double frobenius, double cosine)
{
    QString title = tr("Difference");
    if (std::isfinite(frobenius) && std::isfinite(cosine))
        title = tr("Difference F %1 · cos %2").arg(formatValue(frobenius, 2), formatValue(cosine, 2));
    m_titles[Difference]->setFullText(title);
    m_titles[Difference]->setToolTip(tr("Second minus first; F: Frobenius error ‖B − A‖ / ‖A‖; cos: 1 − cosine similarity"));
}

void MatrixTriptych::showMatrices()
{
    const ValueRange shared = sharedRange();
    for (const Panel side : {First, Second}) {
        const std::optional<Matrix> &matrix = m_matrices[side];
        m_plots[side]->setLogarithmic(m_logarithmic);
        m_plots[side]->setValueRange(shared);
        m_plots[side]->setSource(
            matrix ? std::make_shared<MatrixSource>(*matrix, m_tokens, tr("weight"), CellColour::Magnitude) : nullptr);
        m_plots[side]->setHint(m_hints[side]);
    }
    const QString quantity = hasNegative() ? tr("|weight|") : tr("weight");
    m_plots[First]->setColors(ColorScale::Magnitude,
                              m_logarithmic ? quantity : tr("%1, top 2 % cut").arg(quantity), ColorBar::Below);
    std::shared_ptr<MatrixSource> source;
    if (m_matrices[First] && m_matrices[Second] && m_refused.isEmpty()) {
        Matrix delta = difference(*m_matrices[First], *m_matrices[Second]);
        const double most = causalQuantile({&delta}, ShownShare);
        m_plots[Difference]->setValueRange(ValueRange::symmetric(most > 0 ? most : 1));
        source = std::make_shared<MatrixSource>(std::move(delta), m_tokens, tr("difference"));
    }
    m_plots[Difference]->setSource(source);
    m_plots[Difference]->setHint(m_refused.isEmpty() ? m_hints[Second] : m_refused);
}

void MatrixTriptych::resizeEvent(QResizeEvent *event)
{
    QWidget::resizeEvent(event);
    showTicks();
}

void MatrixTriptych::showTicks()
{
    const bool texts = !m_tokens.isEmpty() && m_tokens.size() <= MostNamedTokens && m_plots[First]->width() >= WidthForNames;
    TickMaker maker;
    if (texts) {
        QStringList shortened;
        for (const QString &token : m_tokens)
            shortened << formatToken(token.trimmed(), NameLimit).mid(1).chopped(1);
        maker = [shortened](double lower, double upper, int capacity) { return labelTicks(shortened, lower, upper, capacity); };
    }
    for (std::size_t panel = 0; panel < m_plots.size(); ++panel) {
        m_plots[panel]->setColumnLabelsTurned(texts);
        m_plots[panel]->setColumnAxis(tr("key token"), maker);
        m_plots[panel]->setRowAxis(tr("query token"), maker);
        m_plots[panel]->refresh();
    }
}

} // namespace lens
