#include "lens/klstrip.h"

#include "bridge/selection.h"
#include "lens/dockheader.h"
#include "plot/barstrip.h"
#include "plot/ticks.h"

#include <QVBoxLayout>

#include <cmath>

namespace lens {

struct KlStrip::Impl {
    Selection *selection = nullptr;
    DockHeader *header = nullptr;
    BarStrip *bars = nullptr;
    QComboBox *otherChoice = nullptr;
    QString first, second;
    ForcedComparison comparison;
    QStringList tokens;
    qint64 difference = -1;
    QString firstChoice, secondChoice;

    void build(KlStrip *strip);
    void showHeader();
    QString readOut(qint64 token) const;
    QVariantList fields(qint64 token) const;
};

void KlStrip::Impl::build(KlStrip *strip)
{
    header = new DockHeader(strip);
    bars = new BarStrip(strip);
    bars->setAxes(tr("token"), tr("KL, nats"));
    bars->setTitle(tr("KL divergence per token"));
    bars->setHint(tr("How far the two models' predictions are apart, token by token, appears here after an answer."));
    otherChoice = header->addCombo(tr("Column compared with the first"));
    otherChoice->hide();
    header->addMenu([this](QMenu *menu) { bars->addActionsTo(menu); });
    auto *layout = new QVBoxLayout(strip);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(header);
    layout->addWidget(bars, 1);
}

void KlStrip::Impl::showHeader()
{
    QStringList parts;
    if (difference >= 0 && !firstChoice.isEmpty())
        parts << tr("first difference at token %1 (%2 / %3)")
                     .arg(QString::number(difference), formatToken(firstChoice.trimmed(), 12),
                          formatToken(secondChoice.trimmed(), 12));
    else if (difference >= 0)
        parts << tr("first difference at token %1").arg(difference);
    double sum = 0;
    int count = 0;
    for (const float kl : comparison.kl) {
        if (!std::isfinite(kl))
            continue;
        sum += kl;
        ++count;
    }
    if (count)
        parts << tr("mean KL %1 nats (%2 ‖ %3)").arg(formatValue(sum / count), first, second);
    header->setText(parts.join(QStringLiteral(" · ")));
}

QString KlStrip::Impl::readOut(qint64 token) const
{
    const auto at = std::size_t(token - 1);
    if (token < 1 || at >= comparison.kl.size())
        return {};
    QStringList lines{tr("Token %1 %2").arg(QString::number(token), formatToken(tokens.value(token))),
                      tr("KL %1 nats").arg(formatValue(comparison.kl[at]))};
    if (at < comparison.nllFirst.size() && at < comparison.nllSecond.size())
        lines << tr("−log p: %1 %2, %3 %4 nats")
                     .arg(first, formatValue(comparison.nllFirst[at]), second, formatValue(comparison.nllSecond[at]));
    if (at < comparison.sameTop.size())
        lines << (comparison.sameTop[at] ? tr("Both would have said the same") : tr("They would have said different tokens"));
    return lines.join(QLatin1Char('\n'));
}

QVariantList KlStrip::Impl::fields(qint64 token) const
{
    const auto at = std::size_t(token - 1);
    const auto number = [at](const std::vector<float> &values) { return at < values.size() ? values[at] : NAN; };
    return {token, tokens.value(token), number(comparison.kl), number(comparison.nllFirst), number(comparison.nllSecond)};
}

KlStrip::KlStrip(Selection *selection, QWidget *parent) : QWidget(parent), m_impl(std::make_unique<Impl>())
{
    setWindowTitle(tr("KL per token"));
    m_impl->selection = selection;
    m_impl->build(this);
    Impl *impl = m_impl.get();
    m_impl->bars->setDescriptions([impl](qint64 token) { return impl->readOut(token); },
                                  {tr("Token"), tr("Text"), tr("KL, nats"), tr("NLL of the first, nats"),
                                   tr("NLL of the second, nats")},
                                  [impl](qint64 token) { return impl->fields(token); });
    connect(m_impl->bars, &BarStrip::barChosen, this, [this](qint64 token) { m_impl->selection->setToken(token); });
    connect(m_impl->otherChoice, &QComboBox::activated, this, [this](int index) { Q_EMIT otherChosen(index + 1); });
    connect(selection, &Selection::tokenChanged, this, [this](qint64 token) { m_impl->bars->setChosen(token); });
}

KlStrip::~KlStrip() = default;

void KlStrip::setColumns(const QStringList &names, int other)
{
    m_impl->first = names.value(0);
    m_impl->second = names.value(other);
    m_impl->otherChoice->clear();
    for (qsizetype i = 1; i < names.size(); ++i)
        m_impl->otherChoice->addItem(tr("1 ‖ %1: %2").arg(i + 1).arg(names[i]));
    m_impl->otherChoice->setCurrentIndex(other - 1);
    m_impl->otherChoice->setVisible(names.size() > 2);
    m_impl->bars->setTitle(tr("KL divergence per token, %1 ‖ %2").arg(m_impl->first, m_impl->second));
    m_impl->showHeader();
}

void KlStrip::setComparison(const ForcedComparison &comparison, const QStringList &tokenTexts)
{
    m_impl->comparison = comparison;
    m_impl->tokens = tokenTexts;
    m_impl->bars->setValues(1, comparison.kl);
    m_impl->bars->setChosen(m_impl->selection->token());
    m_impl->showHeader();
}

void KlStrip::setFirstDifference(qint64 token, const QString &first, const QString &second)
{
    m_impl->difference = token;
    m_impl->firstChoice = first;
    m_impl->secondChoice = second;
    m_impl->bars->setMark(token, {});
    m_impl->showHeader();
}

void KlStrip::setNotice(const QString &notice)
{
    m_impl->bars->setHint(notice);
    m_impl->comparison = {};
    m_impl->bars->setValues(1, {});
    m_impl->showHeader();
}

void KlStrip::clear()
{
    setFirstDifference(-1);
    setNotice(tr("How far the two models' predictions are apart, token by token, appears here after an answer."));
}

QSize KlStrip::sizeHint() const
{
    return {500, 110};
}

} // namespace lens
