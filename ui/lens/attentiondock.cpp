#include "lens/attentiondock.h"

#include "bridge/format.h"
#include "bridge/selection.h"
#include "lens/attentionsource.h"
#include "lens/dockheader.h"
#include "lens/matrixtriptych.h"
#include "widgets/elidedcombo.h"

#include <QAction>
#include <QHBoxLayout>
#include <QMenu>
#include <QProgressBar>
#include <QResizeEvent>
#include <QVBoxLayout>

#include <algorithm>
#include <array>
#include <cmath>

namespace lens {

namespace {

constexpr int HeightForBoth = 300;  ///< below, matrices and overview take turns
constexpr int ProgressHeight = 3;

} // namespace

struct AttentionDock::Impl {
    struct Column {
        QString name;
        ModelInfo model;
        bool known = false;
    };

    AttentionDock *dock = nullptr;
    Selection *selection = nullptr;
    DockHeader *header = nullptr;
    std::array<QComboBox *, 2> sideChoice{};
    QComboBox *scalingChoice = nullptr;
    QToolButton *logarithmic = nullptr;
    QToolButton *overviewToggle = nullptr;
    QToolButton *measure = nullptr;
    QAction *automatic = nullptr;
    QProgressBar *progress = nullptr;
    QLabel *notice = nullptr;
    MatrixTriptych *matrices = nullptr;
    QWidget *overviewBox = nullptr;
    HeatMapPlot *overview = nullptr;
    QComboBox *metricChoice = nullptr;

    std::vector<Column> columns;
    std::array<int, 2> pair{-1, -1};
    QStringList tokens;
    AttentionErrors errors;
    QString noticeText;
    bool measured = false;
    bool measuring = false;

    void build();
    void buildHeader();
    void buildOverview();
    void connectAll();
    void showAll();
    void showHeader();
    void showNotice();
    void showErrors();
    void showChoices();
    void showMeasure();
    void showLayout();
    void forget();
    void requestHead();
    const Column *side(int which) const;
    QString sideName(int which) const;
    QString hint(int which) const;
    /// Why the pair's matrices cannot be subtracted; empty when they can.
    QString refusal() const;
};

const AttentionDock::Impl::Column *AttentionDock::Impl::side(int which) const
{
    const int column = pair[std::size_t(which)];
    const bool there = column >= 0 && column < int(columns.size()) && columns[std::size_t(column)].known;
    return there ? &columns[std::size_t(column)] : nullptr;
}

QString AttentionDock::Impl::sideName(int which) const
{
    const Column *column = side(which);
    if (!column)
        return {};
    const std::string &mixer = column->model.mixer;
    const QString kind = mixer == "softmax" ? tr("softmax") : tr("implied (%1)").arg(mixerName(mixer));
    return QStringLiteral("%1 · %2").arg(column->name, kind);
}

/// What stands where the matrix of one side would be.
QString AttentionDock::Impl::hint(int which) const
{
    const Column *first = side(First);
    const Column *second = side(Second);
    if (!first)
        return tr("Choose a model to see what its heads attend to.");
    if (measuring)
        return tr("Measuring…");
    if (which == Second && second && first->model.vocabulary != second->model.vocabulary)
        return tr("This model reads other tokens than %1. Choose it as the first to see it.").arg(first->name);
    return measured ? tr("No such layer or head in this model.")
                    : tr("Press Measure to see this head's attention over the text.");
}

QString AttentionDock::Impl::refusal() const
{
    const Column *first = side(First);
    const Column *second = side(Second);
    if (!first || !second)
        return tr("A second model is needed for a difference.");
    const ModelInfo &a = first->model;
    const ModelInfo &b = second->model;
    if (a.vocabulary != b.vocabulary || a.tokenizer != b.tokenizer)
        return tr("No difference: the two models split text into different tokens.");
    if (a.layerCount != b.layerCount || a.heads != b.heads)
        return tr("No difference: %1 × %2 heads against %3 × %4.").arg(a.layerCount).arg(a.heads).arg(b.layerCount).arg(b.heads);
    if (!a.fingerprint.empty() && a.fingerprint == b.fingerprint && a.mixer == b.mixer)
        return tr("No difference: both columns show the same model.");
    return {};
}

void AttentionDock::Impl::buildHeader()
{
    header = new DockHeader(dock);
    for (const Side which : {First, Second})
        sideChoice[which] = header->addCombo(which == First ? tr("First model") : tr("Second model"));
    scalingChoice = header->addCombo(tr("How rows of the linear matrix are scaled"));
    scalingChoice->addItem(tr("÷ Σ|a|"), int(RowScaling::AbsoluteSum));
    scalingChoice->addItem(tr("÷ |Σa|"), int(RowScaling::SumMagnitude));
    scalingChoice->addItem(tr("unscaled"), int(RowScaling::None));
    scalingChoice->setItemData(0, tr("Each row divided by the sum of its absolute values"), Qt::ToolTipRole);
    scalingChoice->setItemData(1, tr("Each row divided by the magnitude of its sum, as in the SUPRA paper"), Qt::ToolTipRole);
    scalingChoice->setItemData(2, tr("As the mixer computes it"), Qt::ToolTipRole);
    logarithmic = header->addButton(tr("log"), tr("Logarithmic colours of the two matrices"), true);
    overviewToggle = header->addButton(tr("overview"), tr("Where they differ, layer by layer"), true);
    measure = header->addButton(tr("Measure"), tr("Measure the attention of both models on their common text"), false);
    measure->setPopupMode(QToolButton::MenuButtonPopup);
    automatic = new QAction(tr("Measure after every answer"), measure);
    automatic->setCheckable(true);
    measure->addAction(automatic);
    header->addMenu([this](QMenu *menu) {
        matrices->addActionsTo(menu);
        overview->addActionsTo(menu->addMenu(tr("Where they differ")));
    });
}

void AttentionDock::Impl::buildOverview()
{
    overviewBox = new QWidget(dock);
    auto *title = new ElidedLabel(overviewBox);
    title->setMuted(false);
    title->setContentsMargins(8, 0, 0, 0);
    title->setFullText(tr("Where they differ: click to open a head"));
    metricChoice = new QComboBox(overviewBox);
    metricChoice->setAccessibleName(tr("Measure of the difference"));
    metricChoice->addItem(tr("Frobenius error"), ErrorSource::Frobenius);
    metricChoice->addItem(tr("Cosine error"), ErrorSource::Cosine);
    overview = new HeatMapPlot(overviewBox);
    overview->setTitle(tr("Where attention differs"));
    overview->setColumnAxis(tr("layer"));
    overview->setRowAxis(tr("head"));
    overview->setColors(ColorScale::Magnitude, tr("relative error"), ColorBar::Right);
    overview->setHint(tr("Errors of every layer and head appear here once both models have been measured."));
    auto *line = new QHBoxLayout;
    line->setContentsMargins(0, 0, 4, 0);
    line->addWidget(title, 1);
    line->addWidget(metricChoice);
    auto *layout = new QVBoxLayout(overviewBox);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addLayout(line);
    layout->addWidget(overview, 1);
}

void AttentionDock::Impl::build()
{
    buildHeader();
    progress = new QProgressBar(dock);
    progress->setTextVisible(false);
    progress->setFixedHeight(ProgressHeight);
    progress->hide();
    notice = new QLabel(dock);
    notice->setTextFormat(Qt::PlainText);
    notice->setWordWrap(true);
    notice->setContentsMargins(8, 0, 8, 4);
    matrices = new MatrixTriptych(dock);
    buildOverview();
    auto *layout = new QVBoxLayout(dock);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(header);
    layout->addWidget(progress);
    layout->addWidget(notice);
    layout->addWidget(matrices, 3);
    layout->addWidget(overviewBox, 2);
}

void AttentionDock::Impl::connectAll()
{
    for (const Side which : {First, Second}) {
        connect(sideChoice[which], &QComboBox::activated, dock, [this, which](int column) {
            pair[which] = column;
            forget();
            showAll();
        });
    }
    connect(scalingChoice, &QComboBox::activated, dock, [this] {
        requestHead();
        if (measured)
            Q_EMIT dock->errorsRequested(dock->scaling());
    });
    connect(logarithmic, &QToolButton::toggled, dock, [this](bool on) { matrices->setLogarithmic(on); });
    connect(overviewToggle, &QToolButton::toggled, dock, [this] { showLayout(); });
    connect(metricChoice, &QComboBox::activated, dock, [this] { showErrors(); });
    connect(measure, &QToolButton::clicked, dock, [this] {
        if (measuring)
            Q_EMIT dock->cancelRequested();
        else
            Q_EMIT dock->measureRequested();
    });
    connect(automatic, &QAction::toggled, dock, &AttentionDock::autoMeasureChanged);
    connect(matrices, &MatrixTriptych::tokenChosen, dock, [this](qint64 token) { selection->setToken(token); });
    connect(overview, &HeatMapPlot::cellChosen, dock, [this](qint64 head, qint64 layer) {
        selection->setLayerHead(layer, head);
        if (overviewToggle->isVisible())
            overviewToggle->setChecked(false);
    });
    connect(selection, &Selection::tokenChanged, dock, [this](qint64 token) { matrices->setChosen(token); });
    connect(selection, &Selection::layerHeadChanged, dock, [this](qint64 layer, qint64 head) {
        overview->setChosen(head, layer);
        requestHead();
        showHeader();
    });
}

void AttentionDock::Impl::requestHead()
{
    if (!measured)
        return;
    for (const Side which : {First, Second})
        matrices->setMatrix(which, std::nullopt);
    Q_EMIT dock->headRequested(selection->layer(), selection->head(), dock->scaling());
}

void AttentionDock::Impl::forget()
{
    measured = false;
    tokens.clear();
    errors = {};
    noticeText.clear();
    matrices->setTokens({});
}

void AttentionDock::Impl::showAll()
{
    showChoices();
    showErrors();
    showNotice();
    showMeasure();
    matrices->setNames(sideName(First), sideName(Second));
    matrices->setDifferenceRefused(refusal());
    matrices->setHints(hint(First), hint(Second));
    matrices->setChosen(selection->token());
    overview->setChosen(selection->head(), selection->layer());
    showHeader();
    showLayout();
}

void AttentionDock::Impl::showChoices()
{
    for (const Side which : {First, Second})
        fillColumnChoice(sideChoice[which], columns, pair[which], 3);
}

void AttentionDock::Impl::showHeader()
{
    QStringList parts;
    if (side(First))
        parts << tr("layer %1").arg(selection->layer()) << tr("head %1").arg(selection->head());
    if (!tokens.isEmpty())
        parts << tr("%1 tokens").arg(tokens.size());
    header->setText(parts.join(QStringLiteral(" · ")));
    const auto index = std::size_t(std::max<std::int64_t>(0, selection->layer() * errors.heads + selection->head()));
    const bool known = selection->head() < errors.heads && index < errors.frobenius.size() && index < errors.cosine.size();
    matrices->setErrors(known ? errors.frobenius[index] : NAN, known ? errors.cosine[index] : NAN);
}

void AttentionDock::Impl::showNotice()
{
    notice->setText(noticeText);
    notice->setVisible(!noticeText.isEmpty());
    QPalette colours = dock->palette();
    colours.setColor(QPalette::WindowText, PlotTheme::fromPalette(dock->palette()).warning);
    notice->setPalette(colours);
}

void AttentionDock::Impl::showErrors()
{
    const bool there = !errors.frobenius.empty();
    const auto metric = ErrorSource::Metric(metricChoice->currentData().toInt());
    overview->setSource(there ? std::make_shared<ErrorSource>(errors, metric) : nullptr);
    overview->setColors(ColorScale::Magnitude, metric == ErrorSource::Frobenius ? tr("‖B−A‖/‖A‖") : tr("1 − cos"),
                        ColorBar::Right);
    showHeader();
}

void AttentionDock::Impl::showMeasure()
{
    measure->setText(measuring ? tr("Cancel") : tr("Measure"));
    measure->setEnabled(measuring || side(First));
    progress->setVisible(measuring);
}

void AttentionDock::Impl::showLayout()
{
    const bool both = dock->height() >= HeightForBoth;
    const bool comparable = refusal().isEmpty();
    overviewToggle->setVisible(!both && comparable);
    matrices->setVisible(both || !overviewToggle->isChecked() || !comparable);
    overviewBox->setVisible(comparable && (both || overviewToggle->isChecked()));
}

AttentionDock::AttentionDock(Selection *selection, QWidget *parent) : QWidget(parent), m_impl(std::make_unique<Impl>())
{
    setWindowTitle(tr("Attention"));
    m_impl->dock = this;
    m_impl->selection = selection;
    m_impl->build();
    m_impl->connectAll();
    m_impl->showAll();
}

AttentionDock::~AttentionDock() = default;

void AttentionDock::setColumns(const QStringList &names)
{
    m_impl->columns.clear();
    for (const QString &name : names)
        m_impl->columns.push_back({name, {}, false});
    const int count = int(names.size());
    const bool kept = m_impl->pair[First] >= 0 && m_impl->pair[First] < count && m_impl->pair[Second] >= 0
                      && m_impl->pair[Second] < count;
    if (!kept)
        m_impl->pair = {count > 0 ? 0 : -1, count > 1 ? 1 : -1};
    m_impl->forget();
    m_impl->showAll();
}

void AttentionDock::setModel(int column, const ModelInfo &model)
{
    if (column < 0 || column >= int(m_impl->columns.size()))
        return;
    Impl::Column &changed = m_impl->columns[std::size_t(column)];
    changed.model = model;
    changed.known = !model.layers.empty();
    if (column == m_impl->pair[First] || column == m_impl->pair[Second])
        m_impl->forget();
    m_impl->showAll();
}

int AttentionDock::column(Side side) const
{
    return m_impl->pair[side];
}

RowScaling AttentionDock::scaling() const
{
    return RowScaling(m_impl->scalingChoice->currentData().toInt());
}

bool AttentionDock::autoMeasure() const
{
    return m_impl->automatic->isChecked();
}

void AttentionDock::setAutoMeasure(bool automatic)
{
    m_impl->automatic->setChecked(automatic);
}

void AttentionDock::setMeasuring(bool measuring)
{
    m_impl->measuring = measuring;
    m_impl->progress->setRange(0, 0);
    m_impl->showAll();
}

void AttentionDock::setProgress(const Progress &progress)
{
    constexpr int Steps = 1000;
    m_impl->progress->setRange(0, progress.total ? Steps : 0);
    if (progress.total)
        m_impl->progress->setValue(int(double(progress.done) / double(progress.total) * Steps));
    m_impl->progress->setAccessibleName(QString::fromStdString(progress.stage));
}

void AttentionDock::setMeasured(const QStringList &tokenTexts)
{
    m_impl->measuring = false;
    m_impl->measured = true;
    m_impl->errors = {};
    m_impl->tokens = tokenTexts;
    m_impl->matrices->setTokens(tokenTexts);
    m_impl->showAll();
    m_impl->requestHead();
    if (m_impl->refusal().isEmpty())
        Q_EMIT errorsRequested(scaling());
}

void AttentionDock::setHead(Side side, const HeadAttention &head)
{
    if (head.layer == m_impl->selection->layer() && head.head == m_impl->selection->head())
        m_impl->matrices->setMatrix(side, head.weights.empty() ? std::nullopt : std::optional(head.weights));
}

void AttentionDock::setErrors(const AttentionErrors &errors)
{
    m_impl->errors = errors;
    m_impl->showErrors();
}

void AttentionDock::setNotice(const QString &notice)
{
    m_impl->noticeText = notice;
    m_impl->showNotice();
}

void AttentionDock::clear()
{
    m_impl->forget();
    m_impl->showAll();
}

void AttentionDock::resizeEvent(QResizeEvent *event)
{
    QWidget::resizeEvent(event);
    m_impl->showLayout();
}

void AttentionDock::changeEvent(QEvent *event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_impl->notice)
        m_impl->showNotice();
}

QSize AttentionDock::sizeHint() const
{
    return {500, 330};
}

} // namespace lens
