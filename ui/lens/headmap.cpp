#include "lens/headmap.h"

#include "bridge/selection.h"
#include "lens/dockheader.h"
#include "lens/headhistory.h"
#include "widgets/elidedcombo.h"

#include <QLocale>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include <algorithm>

namespace lens {

namespace {

constexpr qsizetype LeastColumns = 16;

bool hasState(const ModelInfo &model)
{
    return std::any_of(model.layers.begin(), model.layers.end(),
                       [](const LayerInfo &layer) { return layer.mixer != "softmax"; });
}

bool offers(const ModelInfo &model, HeadQuantity quantity)
{
    return quantity == HeadQuantity::StateNorm ? hasState(model) : hasRetention(model);
}

} // namespace

struct HeadMap::Impl {
    struct Column {
        QString name;
        ModelInfo model;
        bool known = false;
        std::shared_ptr<HeadHistory> history = std::make_shared<HeadHistory>();
    };

    HeadQuantity quantity = HeadQuantity::StateNorm;
    Selection *selection = nullptr;
    DockHeader *header = nullptr;
    QComboBox *columnChoice = nullptr;
    QComboBox *layerChoice = nullptr;
    QToolButton *logarithmic = nullptr;
    HeatMapPlot *plot = nullptr;
    std::vector<Column> columns;
    int shown = 0;
    bool userChose = false;
    bool oneLayer = false;
    RowLayout rows;

    void build(HeadMap *dock);
    void connectAll(HeadMap *dock);
    void showAll();
    void showHeader();
    void showHint();
    void showLayers();
    void showSource();
    void showChosen();
    void preferOffering();
    Column *current() { return has(shown) ? &columns[std::size_t(shown)] : nullptr; }
    bool has(int column) const { return column >= 0 && column < int(columns.size()); }
    bool isOffered(int column) const
    {
        return has(column) && columns[std::size_t(column)].known && offers(columns[std::size_t(column)].model, quantity);
    }
};

void HeadMap::Impl::build(HeadMap *dock)
{
    header = new DockHeader(dock);
    columnChoice = header->addCombo(tr("Column on show"));
    layerChoice = header->addCombo(tr("Layers on show"));
    logarithmic = header->addButton(tr("log"), tr("Logarithmic colours"), true);
    plot = new HeatMapPlot(dock);
    plot->setTitle(dock->windowTitle());
    plot->setRowZoom(false);
    plot->setMinimumColumns(LeastColumns);
    plot->setColumnAxis(tr("token"));
    plot->setColors(ColorScale::Magnitude, quantity == HeadQuantity::StateNorm ? tr("‖S‖, Frobenius") : tr("retention"),
                    ColorBar::Right);
    header->addMenu([this](QMenu *menu) { plot->addActionsTo(menu); });
    auto *layout = new QVBoxLayout(dock);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(header);
    layout->addWidget(plot, 1);
}

void HeadMap::Impl::connectAll(HeadMap *dock)
{
    connect(columnChoice, &QComboBox::activated, dock, [dock](int column) { dock->showColumn(column); });
    connect(layerChoice, &QComboBox::activated, dock, [this](int index) {
        oneLayer = index > 0;
        if (oneLayer)
            selection->setLayer(index - 1);
        showAll();
    });
    connect(logarithmic, &QToolButton::toggled, dock, [this](bool on) { plot->setLogarithmic(on); });
    connect(plot, &HeatMapPlot::cellChosen, dock, [this](qint64 row, qint64 token) {
        selection->setColumn(shown);
        selection->setLayerHead(rows.layerOf(row), rows.headOf(row));
        selection->setToken(token);
    });
    connect(selection, &Selection::tokenChanged, dock, [this] { showChosen(); });
    connect(selection, &Selection::layerHeadChanged, dock, [this] {
        if (oneLayer)
            showAll();
        showChosen();
    });
    connect(selection, &Selection::columnChanged, dock, [this](int column) {
        if (column != shown && isOffered(column)) {
            shown = column;
            showAll();
        }
    });
}

void HeadMap::Impl::showAll()
{
    fillColumnChoice(columnChoice, columns, shown, 2);
    showLayers();
    showSource();
    showHeader();
    showHint();
    showChosen();
}

void HeadMap::Impl::showLayers()
{
    const Column *column = current();
    const std::int64_t layers = column ? std::max(column->history->layers(), column->model.layerCount) : 0;
    const std::int64_t layer = std::clamp<std::int64_t>(selection->layer(), 0, std::max<std::int64_t>(0, layers - 1));
    const QSignalBlocker block(layerChoice);
    if (layerChoice->count() != int(layers) + 1) {
        layerChoice->clear();
        layerChoice->addItem(tr("All layers"));
        for (std::int64_t i = 0; i < layers; ++i)
            layerChoice->addItem(tr("Layer %1").arg(i));
    }
    layerChoice->setCurrentIndex(oneLayer ? int(layer) + 1 : 0);
    layerChoice->setVisible(isOffered(shown));
    logarithmic->setVisible(isOffered(shown) && quantity == HeadQuantity::StateNorm);
}

void HeadMap::Impl::showSource()
{
    const Column *column = current();
    rows = {};
    if (!column || column->history->tokens() == 0) {
        plot->setSource(nullptr);
        return;
    }
    rows.layers = column->history->layers();
    rows.heads = column->history->heads();
    rows.onlyLayer = oneLayer ? std::clamp<std::int64_t>(selection->layer(), 0, rows.layers - 1) : -1;
    plot->setRowAxis(oneLayer ? tr("head") : tr("layer"),
                     [layout = rows](double lower, double upper, int most) { return layout.ticks(lower, upper, most); });
    plot->setSource(std::make_shared<HeadSource>(column->history, rows));
    plot->setTitle(quantity == HeadQuantity::StateNorm ? tr("Norm of the recurrent state, %1").arg(column->name)
                                                      : tr("What each token's decay leaves, %1").arg(column->name));
}

void HeadMap::Impl::showHeader()
{
    const Column *column = current();
    if (!column) {
        header->setText({});
        return;
    }
    QStringList parts{columns.size() > 1 ? QString() : column->name};
    if (column->history->tokens() > 0) {
        parts << (oneLayer ? tr("%1 heads").arg(rows.heads) : tr("%1 × %2 heads").arg(rows.layers).arg(rows.heads));
        parts << tr("%1 tokens").arg(QLocale().toString(qint64(column->history->tokens())));
    }
    parts.removeAll(QString());
    header->setText(parts.join(QStringLiteral(" · ")));
}

void HeadMap::Impl::showHint()
{
    const Column *column = current();
    if (!column || !column->known) {
        plot->setHint(tr("Choose a model to see what its recurrent state holds."));
    } else if (!hasState(column->model)) {
        plot->setHint(tr("%1 keeps a KV cache, %2 per token; it has no recurrent state.\n\n"
                         "Open its SUPRA conversion in another column to compare.")
                          .arg(column->name, QLocale().formattedDataSize(qint64(column->model.kvBytesPerToken), 1,
                                                                        QLocale::DataSizeTraditionalFormat)));
    } else {
        plot->setHint((quantity == HeadQuantity::StateNorm
                           ? tr("The norm of every head's state appears here, token by token, while %1 answers.")
                           : tr("How much of every head's state each token leaves appears here while %1 answers."))
                          .arg(column->name));
    }
}

void HeadMap::Impl::showChosen()
{
    const Column *column = current();
    const bool inside = column && selection->token() < column->history->tokens();
    plot->setChosen(rows.rowOf(selection->layer(), selection->head()), inside ? selection->token() : -1);
}

void HeadMap::Impl::preferOffering()
{
    if (userChose && shown < int(columns.size()))
        return;
    shown = 0;
    while (shown < int(columns.size()) && !isOffered(shown))
        ++shown;
    if (shown == int(columns.size()))
        shown = 0;
}

HeadMap::HeadMap(Selection *selection, HeadQuantity quantity, QWidget *parent)
    : QWidget(parent), m_impl(std::make_unique<Impl>())
{
    setWindowTitle(quantity == HeadQuantity::StateNorm ? tr("State norms") : tr("Retention"));
    m_impl->quantity = quantity;
    m_impl->selection = selection;
    m_impl->build(this);
    m_impl->connectAll(this);
    m_impl->showAll();
}

HeadMap::~HeadMap() = default;

void HeadMap::setColumns(const QStringList &names)
{
    m_impl->columns.resize(std::size_t(names.size()));
    for (qsizetype i = 0; i < names.size(); ++i)
        m_impl->columns[std::size_t(i)].name = names[i];
    m_impl->preferOffering();
    m_impl->showAll();
}

int HeadMap::columnCount() const
{
    return int(m_impl->columns.size());
}

void HeadMap::setModel(int column, const ModelInfo &model)
{
    if (!m_impl->has(column))
        return;
    Impl::Column &changed = m_impl->columns[std::size_t(column)];
    if (!changed.known || changed.model.path != model.path || changed.model.fingerprint != model.fingerprint)
        changed.history->clear();
    changed.model = model;
    changed.known = !model.layers.empty();
    m_impl->preferOffering();
    m_impl->showAll();
}

void HeadMap::setHeaderVisible(bool visible)
{
    m_impl->header->setVisible(visible);
}

void HeadMap::append(int column, const HeadFrame &frame)
{
    if (!m_impl->has(column) || frame.quantity != m_impl->quantity)
        return;
    HeadHistory &history = *m_impl->columns[std::size_t(column)].history;
    const bool shaped = history.tokens() > 0 && history.layers() == frame.layers && history.heads() == frame.heads;
    history.append(frame);
    if (column != m_impl->shown)
        return;
    if (!shaped) {
        m_impl->showAll();
        return;
    }
    m_impl->plot->refresh(frame.firstToken);
    m_impl->showHeader();
}

void HeadMap::setTokenTexts(int column, qint64 firstToken, const QStringList &texts)
{
    if (m_impl->has(column))
        m_impl->columns[std::size_t(column)].history->setTexts(firstToken, texts);
}

void HeadMap::clear(int column)
{
    if (!m_impl->has(column))
        return;
    m_impl->columns[std::size_t(column)].history->clear();
    if (column == m_impl->shown)
        m_impl->showAll();
}

int HeadMap::shownColumn() const
{
    return m_impl->shown;
}

void HeadMap::showColumn(int column)
{
    m_impl->shown = column;
    m_impl->userChose = true;
    m_impl->showAll();
}

QSize HeadMap::sizeHint() const
{
    return {500, 210};
}

} // namespace lens
