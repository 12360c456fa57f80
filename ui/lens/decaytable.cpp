#include "lens/decaytable.h"

#include "lens/decaymath.h"
#include "plot/ticks.h"

#include <array>
#include <limits>

namespace lens {

namespace {

double measured(const AttentionSummary *summary, const std::vector<float> AttentionSummary::*values, std::int64_t layer,
                std::int64_t head)
{
    const auto at = summary ? std::size_t(layer * summary->heads + head) : 0;
    const bool there = summary && layer < summary->layers && head < summary->heads && at < (summary->*values).size();
    return there ? double((summary->*values)[at]) : std::numeric_limits<double>::quiet_NaN();
}

} // namespace

std::vector<HeadFacts> headFacts(const std::vector<double> &gamma, std::int64_t heads, std::int64_t layer,
                                 const AttentionSummary *linear, const AttentionSummary *softmax)
{
    std::vector<HeadFacts> facts;
    for (std::int64_t head = 0; head < heads; ++head) {
        HeadFacts fact;
        fact.gamma = std::size_t(head) < gamma.size() ? gamma[std::size_t(head)] : 1.0;
        fact.linearDistance = measured(linear, &AttentionSummary::meanDistance, layer, head);
        fact.softmaxDistance = measured(softmax, &AttentionSummary::meanDistance, layer, head);
        fact.linearEntropy = measured(linear, &AttentionSummary::entropy, layer, head);
        fact.softmaxEntropy = measured(softmax, &AttentionSummary::entropy, layer, head);
        facts.push_back(fact);
    }
    return facts;
}

void DecayTable::setFacts(std::vector<HeadFacts> facts)
{
    beginResetModel();
    m_facts = std::move(facts);
    endResetModel();
}

int DecayTable::rowCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : int(m_facts.size());
}

int DecayTable::columnCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : Count;
}

double DecayTable::number(int row, int column) const
{
    const HeadFacts &fact = m_facts[std::size_t(row)];
    switch (column) {
    case Head: return row;
    case Gamma: return fact.gamma;
    case HalfLife: return halfLife(fact.gamma);
    case LinearDistance: return fact.linearDistance;
    case SoftmaxDistance: return fact.softmaxDistance;
    case LinearEntropy: return fact.linearEntropy;
    case SoftmaxEntropy: return fact.softmaxEntropy;
    default: return horizon(fact.gamma);
    }
}

QVariant DecayTable::data(const QModelIndex &index, int role) const
{
    if (!index.isValid())
        return {};
    const double value = number(index.row(), index.column());
    switch (role) {
    case Qt::DisplayRole:
        if (index.column() == Head)
            return index.row();
        return index.column() == Gamma ? QString::number(value, 'f', 4) : formatValue(value);
    case SortRole: return value;
    case Qt::TextAlignmentRole: return int(Qt::AlignRight | Qt::AlignVCenter);
    case Qt::DecorationRole:
        // Without a curve of its own a head has no colour.
        if (const QColor &color = m_facts[std::size_t(index.row())].color; index.column() == Head && color.isValid())
            return color;
        return {};
    default: return {};
    }
}

QVariant DecayTable::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || section >= Count)
        return {};
    const std::array<QString, Count> names{tr("Head"),           tr("γ"),
                                           tr("Half-life"),      tr("Linear\nreach"),
                                           tr("Softmax\nreach"), tr("Linear\nentropy"),
                                           tr("Softmax\nentropy"), tr("Horizon")};
    const std::array<QString, Count> meanings{
        tr("Query head"),
        tr("Decay per token; 1 never forgets"),
        tr("Tokens after which half is left: ln 2 / −ln γ"),
        tr("Measured mean attention distance of the linear head, tokens"),
        tr("Measured mean attention distance of the softmax head it came from, tokens"),
        tr("Measured entropy of the linear head's attention, bits"),
        tr("Measured entropy of the softmax head's attention, bits"),
        tr("Tokens after which 1/e is left: −1 / ln γ")};
    if (role == Qt::DisplayRole)
        return names[std::size_t(section)];
    if (role == Qt::TextAlignmentRole)
        return int(Qt::AlignRight | Qt::AlignVCenter);
    return role == Qt::ToolTipRole ? QVariant(meanings[std::size_t(section)]) : QVariant();
}

} // namespace lens
