#include "lens/decaydock.h"

#include "bridge/selection.h"
#include "lens/decaymath.h"
#include "lens/decaytable.h"
#include "lens/dockheader.h"
#include "lens/headmap.h"
#include "plot/linechart.h"
#include "plot/ticks.h"
#include "widgets/elidedcombo.h"

#include <QEvent>
#include <QHeaderView>
#include <QLabel>
#include <QScrollBar>
#include <QSortFilterProxyModel>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace lens {

namespace {

constexpr int CellPadding = 8;
constexpr double FontShare = 0.88;
constexpr int Swatch = 9;
constexpr int UsualColumns = DecayTable::SoftmaxDistance + 1;  ///< what a dock of usual width shows

/// Shows as many columns as fit, the first always: what does not fit is found by making the dock wider.
class FittingTable : public QTableView {
public:
    using QTableView::QTableView;

protected:
    void resizeEvent(QResizeEvent *event) override
    {
        QTableView::resizeEvent(event);
        int left = viewport()->width();
        for (int column = 0; model() && column < model()->columnCount(); ++column) {
            if (!isColumnHidden(column))
                m_widths.insert(column, columnWidth(column));
            left -= m_widths.value(column);
            setColumnHidden(column, column > 0 && left < 0);
        }
    }

private:
    QHash<int, int> m_widths;  ///< also of hidden columns, which have none
};

bool isLinear(const LayerInfo &layer)
{
    return layer.mixer != "softmax";
}

} // namespace

struct DecayDock::Impl {
    struct Column {
        QString name;
        ModelInfo model;
        bool known = false;
        std::optional<AttentionSummary> summary;
    };

    Selection *selection = nullptr;
    DockHeader *header = nullptr;
    QComboBox *columnChoice = nullptr;
    QToolButton *logarithmic = nullptr;
    QToolButton *overTimeChoice = nullptr;
    QStackedWidget *views = nullptr;
    QSplitter *splitter = nullptr;
    HeadMap *overTime = nullptr;
    LineChart *chart = nullptr;
    QTableView *table = nullptr;
    DecayTable *facts = nullptr;
    QSortFilterProxyModel *sorted = nullptr;
    std::vector<Column> columns;
    int shown = 0;
    bool userChose = false;
    bool settingRow = false;

    void build(DecayDock *dock);
    void buildTable(QWidget *parent);
    int columnWidth(int column) const;
    void connectAll(DecayDock *dock);
    void showAll();
    void showCurves(const LayerInfo &layer);
    void showFacts(const LayerInfo *layer);
    void showHeader();
    void showHint();
    void showChosen();
    void preferDecay();
    const Column *current() const;
    const LayerInfo *currentLayer() const;
    const AttentionSummary *softmaxSummary() const;
    std::vector<double> gammas(const LayerInfo &layer) const;
    std::vector<double> channelGammas(const LayerInfo &layer) const;
    bool showsTime(const LayerInfo *layer) const;
    bool has(int column) const { return column >= 0 && column < int(columns.size()); }
    bool hasDecay(int column) const;
};

const DecayDock::Impl::Column *DecayDock::Impl::current() const
{
    return has(shown) ? &columns[std::size_t(shown)] : nullptr;
}

const LayerInfo *DecayDock::Impl::currentLayer() const
{
    const Column *column = current();
    if (!column || !column->known || column->model.layers.empty())
        return nullptr;
    const auto last = std::int64_t(column->model.layers.size()) - 1;
    const LayerInfo &layer = column->model.layers[std::size_t(std::clamp<std::int64_t>(selection->layer(), 0, last))];
    return isLinear(layer) ? &layer : nullptr;
}

const AttentionSummary *DecayDock::Impl::softmaxSummary() const
{
    for (const Column &column : columns) {
        const bool sameShape = column.known && current() && column.model.layerCount == current()->model.layerCount
                               && column.model.heads == current()->model.heads;
        if (sameShape && column.summary && column.model.mixer == "softmax")
            return &*column.summary;
    }
    return nullptr;
}

/// One number a head; of fixed decays that differ inside a head, their geometric mean.
std::vector<double> DecayDock::Impl::gammas(const LayerInfo &layer) const
{
    const auto heads = std::size_t(current()->model.heads);
    if (!layer.channelGamma.empty())
        return meanGammas(layer.channelGamma, heads);
    return layer.gamma.empty() ? std::vector<double>(std::size_t(current()->model.heads), 1.0) : layer.gamma;
}

/// Those of the chosen head.
std::vector<double> DecayDock::Impl::channelGammas(const LayerInfo &layer) const
{
    const auto heads = std::max<std::int64_t>(1, current()->model.heads);
    const auto perHead = std::int64_t(layer.channelGamma.size()) / heads;
    const auto from = layer.channelGamma.begin() + std::clamp<std::int64_t>(selection->head(), 0, heads - 1) * perHead;
    return {from, from + perHead};
}

bool DecayDock::Impl::showsTime(const LayerInfo *layer) const
{
    return layer && (layer->decayVaries || (!layer->channelGamma.empty() && overTimeChoice->isChecked()));
}

bool DecayDock::Impl::hasDecay(int column) const
{
    if (!has(column))
        return false;
    const std::vector<LayerInfo> &layers = columns[std::size_t(column)].model.layers;
    return columns[std::size_t(column)].known && std::any_of(layers.begin(), layers.end(), isLinear);
}

void DecayDock::Impl::build(DecayDock *dock)
{
    header = new DockHeader(dock);
    columnChoice = header->addCombo(tr("Column on show"));
    logarithmic = header->addButton(tr("log"), tr("Logarithmic distance"), true);
    overTimeChoice = header->addButton(tr("over time"), tr("What each token leaves, instead of fixed decays"), true);
    views = new QStackedWidget(dock);
    splitter = new QSplitter;
    overTime = new HeadMap(selection, HeadQuantity::Retention);
    overTime->setHeaderVisible(false);
    views->addWidget(splitter);
    views->addWidget(overTime);
    splitter->setChildrenCollapsible(false);
    splitter->setHandleWidth(5);
    chart = new LineChart(splitter);
    chart->setTitle(tr("Decay"));
    chart->setAxes(tr("tokens back"), tr("retention γⁿ"));
    chart->setYRange(0, 1.02);
    buildTable(splitter);
    splitter->setStretchFactor(0, 1);
    splitter->setStretchFactor(1, 1);
    int usual = 0;
    for (int column = 0; column < UsualColumns; ++column)
        usual += columnWidth(column);
    usual += table->verticalScrollBar()->sizeHint().width();
    splitter->setSizes({dock->sizeHint().width() - usual, usual});
    header->addMenu([this](QMenu *menu) { chart->addActionsTo(menu); });
    auto *layout = new QVBoxLayout(dock);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(header);
    layout->addWidget(views, 1);
}

void DecayDock::Impl::buildTable(QWidget *parent)
{
    facts = new DecayTable(parent);
    sorted = new QSortFilterProxyModel(parent);
    sorted->setSourceModel(facts);
    sorted->setSortRole(DecayTable::SortRole);
    table = new FittingTable(parent);
    table->setModel(sorted);
    table->setSortingEnabled(true);
    table->sortByColumn(DecayTable::Head, Qt::AscendingOrder);
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setSelectionMode(QAbstractItemView::SingleSelection);
    QFont smaller = table->font();
    smaller.setPointSizeF(smaller.pointSizeF() * FontShare);
    table->setFont(smaller);
    table->horizontalHeader()->setFont(smaller);
    table->setFrameShape(QFrame::NoFrame);
    table->setShowGrid(false);
    table->setTabKeyNavigation(false);
    table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    table->setAccessibleName(tr("Decay and reach of the heads"));
    table->verticalHeader()->hide();
    table->verticalHeader()->setMinimumSectionSize(1);
    table->verticalHeader()->setDefaultSectionSize(table->fontMetrics().height() + 3);
    table->horizontalHeader()->setHighlightSections(false);
    table->horizontalHeader()->setFixedHeight(2 * QFontMetrics(smaller).height() + 4);
    table->horizontalHeader()->setDefaultAlignment(Qt::AlignRight | Qt::AlignVCenter);
    table->setIconSize(QSize(Swatch, Swatch));
    for (int column = 0; column < DecayTable::Count; ++column)
        table->setColumnWidth(column, columnWidth(column));
    table->setMinimumWidth(3 * table->columnWidth(DecayTable::HalfLife));
}

int DecayDock::Impl::columnWidth(int column) const
{
    const QFontMetrics metrics(table->font());
    int widest = metrics.horizontalAdvance(QStringLiteral("0.0000"));
    const QStringList lines = facts->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString().split(QLatin1Char('\n'));
    for (const QString &line : lines)
        widest = std::max(widest, metrics.horizontalAdvance(line));
    return widest + CellPadding + (column == DecayTable::Head ? Swatch : 0);
}

void DecayDock::Impl::connectAll(DecayDock *dock)
{
    connect(columnChoice, &QComboBox::activated, dock, [dock](int column) { dock->showColumn(column); });
    connect(logarithmic, &QToolButton::toggled, dock, [this](bool on) {
        chart->setLogarithmic(on);
        showAll();
    });
    connect(overTimeChoice, &QToolButton::toggled, dock, [this] { showAll(); });
    connect(chart, &LineChart::curveChosen, dock, [this](int curve) {
        if (const LayerInfo *layer = currentLayer(); layer && layer->channelGamma.empty())
            selection->setHead(curve);
    });
    connect(table->selectionModel(), &QItemSelectionModel::currentRowChanged, dock, [this](const QModelIndex &index) {
        if (!settingRow && index.isValid())
            selection->setHead(sorted->mapToSource(index).row());
    });
    connect(selection, &Selection::layerHeadChanged, dock, [this] { showAll(); });
    connect(selection, &Selection::columnChanged, dock, [this](int column) {
        if (column != shown && hasDecay(column)) {
            shown = column;
            showAll();
        }
    });
}

void DecayDock::Impl::showAll()
{
    fillColumnChoice(columnChoice, columns, shown, 2);
    const LayerInfo *layer = currentLayer();
    const bool time = showsTime(layer);
    overTimeChoice->setVisible(layer && !layer->channelGamma.empty());
    logarithmic->setVisible(layer && !time);
    table->setVisible(layer);
    views->setCurrentWidget(time ? static_cast<QWidget *>(overTime) : splitter);
    overTime->showColumn(shown);
    if (layer)
        showCurves(*layer);
    else
        chart->setCurves({});
    showHint();
    showFacts(layer);
    showChosen();
    showHeader();
}

void DecayDock::Impl::showCurves(const LayerInfo &layer)
{
    const bool perChannel = !layer.channelGamma.empty();
    const std::vector<double> decays = perChannel ? channelGammas(layer) : gammas(layer);
    const bool onLog = logarithmic->isChecked();
    const std::vector<double> distances = chartDistances(chartReach(decays, current()->model.trainedContext), onLog);
    std::vector<Curve> curves;
    for (std::size_t head = 0; head < decays.size(); ++head) {
        Curve curve;
        curve.name = (perChannel ? tr("channel %1, γ %2") : tr("head %1, γ %2")).arg(head).arg(decays[head], 0, 'f', 4);
        curve.colorPosition = decays.size() < 2 ? 0.5 : double(head) / double(decays.size() - 1);
        curve.x = distances;
        for (const double distance : distances)
            curve.y.push_back(retention(decays[head], distance));
        curves.push_back(std::move(curve));
    }
    QString title = tr("Retention over distance, %1, layer %2").arg(current()->name).arg(selection->layer());
    if (perChannel)
        title += tr(", channels of head %1").arg(std::max<qint64>(0, selection->head()));
    chart->setTitle(title);
    chart->setCurves(std::move(curves));
}

void DecayDock::Impl::showFacts(const LayerInfo *layer)
{
    std::vector<HeadFacts> rows;
    if (layer) {
        const Column &column = *current();
        rows = headFacts(layer->decayVaries ? layer->gamma : gammas(*layer), column.model.heads, selection->layer(),
                         column.summary ? &*column.summary : nullptr, softmaxSummary());
        for (std::size_t head = 0; head < rows.size() && layer->channelGamma.empty(); ++head)
            rows[head].color = chart->curveColor(int(head));
    }
    settingRow = true;
    facts->setFacts(std::move(rows));
    settingRow = false;
}

void DecayDock::Impl::showHeader()
{
    const auto head = std::size_t(std::max<std::int64_t>(0, selection->head()));
    if (!currentLayer() || head >= facts->facts().size()) {
        header->setText({});
        return;
    }
    const HeadFacts &fact = facts->facts()[head];
    QStringList parts{tr("layer %1").arg(selection->layer()), tr("head %1").arg(head)};
    if (currentLayer()->decayVaries) {
        parts << tr("decay depends on the input");
    } else if (fact.gamma >= 1) {
        parts << tr("no decay (∞)");
    } else {
        parts << tr("γ %1").arg(fact.gamma, 0, 'f', 4) << tr("half-life %1").arg(formatValue(halfLife(fact.gamma)));
    }
    if (std::isfinite(fact.linearDistance))
        parts << tr("reach %1").arg(formatValue(fact.linearDistance));
    if (std::isfinite(fact.softmaxDistance))
        parts << tr("softmax %1").arg(formatValue(fact.softmaxDistance));
    header->setText(parts.join(QStringLiteral(" · ")));
}

void DecayDock::Impl::showHint()
{
    const Column *column = current();
    if (!column || !column->known)
        chart->setHint(tr("Choose a model to see how its heads forget."));
    else if (hasDecay(shown))
        chart->setHint(tr("Layer %1 of %2 is softmax attention: it keeps every key, nothing decays.")
                           .arg(selection->layer())
                           .arg(column->name));
    else
        chart->setHint(tr("%1 is softmax attention: it keeps every key, nothing decays.\n\n"
                          "Open its SUPRA conversion in another column to compare.")
                           .arg(column->name));
}

void DecayDock::Impl::showChosen()
{
    const auto head = int(selection->head());
    const bool there = head >= 0 && head < int(facts->facts().size());
    const LayerInfo *layer = currentLayer();
    chart->setEmphasised(there && layer && layer->channelGamma.empty() ? head : -1);
    settingRow = true;
    if (there) {
        const QModelIndex row = sorted->mapFromSource(facts->index(head, 0));
        table->setCurrentIndex(row);
        table->scrollTo(row);
    } else {
        table->clearSelection();
    }
    settingRow = false;
}

void DecayDock::Impl::preferDecay()
{
    if (userChose && shown < int(columns.size()))
        return;
    for (shown = 0; shown < int(columns.size()); ++shown)
        if (hasDecay(shown))
            return;
    shown = 0;
}

DecayDock::DecayDock(Selection *selection, QWidget *parent) : QWidget(parent), m_impl(std::make_unique<Impl>())
{
    setWindowTitle(tr("Decay"));
    m_impl->selection = selection;
    m_impl->build(this);
    m_impl->connectAll(this);
    m_impl->showAll();
}

DecayDock::~DecayDock() = default;

void DecayDock::setColumns(const QStringList &names)
{
    m_impl->columns.clear();
    for (const QString &name : names)
        m_impl->columns.push_back({name, {}, false, {}});
    m_impl->overTime->setColumns(names);
    m_impl->preferDecay();
    m_impl->showAll();
}

void DecayDock::setModel(int column, const ModelInfo &model)
{
    if (!m_impl->has(column))
        return;
    Impl::Column &changed = m_impl->columns[std::size_t(column)];
    changed.model = model;
    changed.known = !model.layers.empty();
    changed.summary.reset();
    m_impl->overTime->setModel(column, model);
    m_impl->preferDecay();
    m_impl->showAll();
}

void DecayDock::setSummary(int column, const AttentionSummary &summary)
{
    if (!m_impl->has(column))
        return;
    m_impl->columns[std::size_t(column)].summary = summary;
    m_impl->showAll();
}

void DecayDock::clearSummaries()
{
    for (Impl::Column &column : m_impl->columns)
        column.summary.reset();
    m_impl->showAll();
}

HeadMap &DecayDock::overTime()
{
    return *m_impl->overTime;
}

int DecayDock::shownColumn() const
{
    return m_impl->shown;
}

void DecayDock::showColumn(int column)
{
    m_impl->shown = column;
    m_impl->userChose = true;
    m_impl->showAll();
}

void DecayDock::changeEvent(QEvent *event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_impl->table)
        m_impl->showAll();
}

QSize DecayDock::sizeHint() const
{
    return {500, 210};
}

} // namespace lens
