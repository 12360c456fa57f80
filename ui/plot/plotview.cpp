#include "plot/plotview.h"

#include "plot/qcp.h"
#include "plot/ticks.h"

#include <QBuffer>
#include <QFileDialog>
#include <QFileInfo>
#include <QGuiApplication>
#include <QLabel>
#include <QMenu>
#include <QMessageBox>
#include <QPdfWriter>
#include <QSaveFile>
#include <QStackedLayout>
#include <QSvgGenerator>
#include <QTableView>
#include <QTimer>
#include <QToolTip>

#include <array>

namespace lens {

namespace {

constexpr int FrameMilliseconds = 33;
constexpr int ClickSlack = 4;
constexpr int MostRedraws = 3;
constexpr int TitleGap = 8;
constexpr double PngScale = 2.0;

Error cannotWrite(const QString &file, const QString &why)
{
    return {ErrorCode::Io, "the figure could not be written: " + why.toStdString(), file.toStdString(),
            "choose a folder you may write to, on a disk with space left"};
}

} // namespace

struct PlotView::Impl {
    QCustomPlot *plot = nullptr;
    QStackedLayout *pages = nullptr;
    QTableView *table = nullptr;
    PlotTableModel *model = nullptr;
    QLabel *hint = nullptr;
    QTimer timer;
    PlotTheme theme;
    QString title;
    QPoint pressedAt;
    QSize layoutSize;
    int redraws = 0;
    bool tableShown = false;
    bool keyboardFocus = false;
    bool figure = false;
    bool settled = false;  ///< the theme has been applied once
};

PlotView::PlotView(QWidget *parent) : QWidget(parent), m_impl(std::make_unique<Impl>())
{
    m_impl->plot = new QCustomPlot(this);
    m_impl->plot->setFocusPolicy(Qt::NoFocus);
    m_impl->plot->setMouseTracking(true);
    m_impl->plot->setNoAntialiasingOnDrag(true);
    m_impl->plot->setContextMenuPolicy(Qt::NoContextMenu);
    m_impl->hint = new QLabel(this);
    m_impl->hint->setAlignment(Qt::AlignCenter);
    m_impl->hint->setTextFormat(Qt::PlainText);
    m_impl->hint->setWordWrap(true);
    m_impl->hint->setMargin(12);
    m_impl->pages = new QStackedLayout(this);
    m_impl->pages->setContentsMargins(1, 1, 1, 1);
    m_impl->pages->addWidget(m_impl->plot);
    m_impl->pages->addWidget(m_impl->hint);
    m_impl->timer.setSingleShot(true);
    // Ticks and squares follow the layout of the drawing before: draw again when it has changed, though not for ever.
    connect(m_impl->plot, &QCustomPlot::afterLayout, this, [this] {
        const QSize size = m_impl->plot->axisRect()->size();
        if (m_impl->figure || size == m_impl->layoutSize || m_impl->redraws >= MostRedraws)
            return;
        m_impl->layoutSize = size;
        ++m_impl->redraws;
        scheduleUpdate();
    });
    connect(&m_impl->timer, &QTimer::timeout, this, [this] { updateNow(); });
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(60, 60);
    connectMouse();
}

PlotView::~PlotView() = default;

void PlotView::connectMouse()
{
    connect(m_impl->plot, &QCustomPlot::mousePress, this, [this](QMouseEvent *event) {
        m_impl->pressedAt = event->pos();
        setFocus(Qt::MouseFocusReason);
    });
    connect(m_impl->plot, &QCustomPlot::mouseRelease, this, [this](QMouseEvent *event) {
        if (event->button() == Qt::LeftButton && (event->pos() - m_impl->pressedAt).manhattanLength() < ClickSlack)
            choose(event->pos());
    });
    connect(m_impl->plot, &QCustomPlot::mouseDoubleClick, this, [this] { resetView(); });
    connect(m_impl->plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent *event) {
        const QString text = event->buttons() == Qt::NoButton ? readOut(event->pos()) : QString();
        if (text.isEmpty())
            QToolTip::hideText();
        else
            QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(text), m_impl->plot);
    });
}

void PlotView::setTitle(const QString &title)
{
    m_impl->title = title;
    setAccessibleName(title);
    setAccessibleDescription(tr("Plot. Arrow keys move the choice, T shows the numbers as a table."));
}

QString PlotView::title() const
{
    return m_impl->title;
}

void PlotView::setHint(const QString &hint)
{
    m_impl->redraws = 0;
    m_impl->hint->setText(hint);
    showPage();
}

bool PlotView::isTableShown() const
{
    return m_impl->tableShown;
}

void PlotView::setTableShown(bool shown)
{
    m_impl->tableShown = shown;
    if (shown && !m_impl->table) {
        m_impl->table = new QTableView(this);
        m_impl->table->setFrameShape(QFrame::NoFrame);
        m_impl->table->setContextMenuPolicy(Qt::NoContextMenu);
        m_impl->table->setTabKeyNavigation(false);
        m_impl->table->verticalHeader()->hide();
        m_impl->table->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 6);
        m_impl->table->setAccessibleName(tr("Numbers of: %1").arg(m_impl->title));
        m_impl->model = new PlotTableModel(m_impl->table);
        m_impl->table->setModel(m_impl->model);
        m_impl->pages->addWidget(m_impl->table);
    }
    updateNow();
    if (shown)
        m_impl->table->resizeColumnsToContents();
}

void PlotView::showPage()
{
    if (isEmpty()) {
        m_impl->pages->setCurrentWidget(m_impl->hint);
    } else if (m_impl->tableShown) {
        m_impl->model->setTable(table());
        m_impl->pages->setCurrentWidget(m_impl->table);
    } else {
        m_impl->pages->setCurrentWidget(m_impl->plot);
    }
}

void PlotView::addActionsTo(QMenu *menu)
{
    QAction *asTable = menu->addAction(tr("Show as &table"), this, [this](bool on) { setTableShown(on); });
    asTable->setCheckable(true);
    asTable->setChecked(m_impl->tableShown);
    asTable->setEnabled(!isEmpty());
    menu->addAction(tr("&Whole range"), this, &PlotView::resetView)->setEnabled(!isEmpty() && !m_impl->tableShown);
    menu->addSeparator();
    menu->addAction(tr("&Export…"), this, &PlotView::exportInteractively)->setEnabled(!isEmpty());
}

void PlotView::exportInteractively()
{
    const QString filters = tr("PNG image (*.png);;SVG drawing (*.svg);;PDF (*.pdf);;Numbers as CSV (*.csv)");
    QString filter;
    QString file = QFileDialog::getSaveFileName(this, tr("Export %1").arg(m_impl->title), {}, filters, &filter);
    if (file.isEmpty())
        return;
    if (QFileInfo(file).suffix().isEmpty())
        file += filter.mid(filter.lastIndexOf(QLatin1String("*.")) + 1).chopped(1);
    if (const Result<void> saved = save(file); !saved)
        QMessageBox::warning(this, tr("Export"), QString::fromStdString(toString(saved.error())));
}

Result<void> PlotView::save(const QString &file, QSize size)
{
    const QString suffix = QFileInfo(file).suffix().toLower();
    static const std::array<QLatin1String, 4> known{QLatin1String("png"), QLatin1String("svg"), QLatin1String("pdf"),
                                                    QLatin1String("csv")};
    if (std::find(known.begin(), known.end(), suffix) == known.end())
        return fail(ErrorCode::InvalidArgument, "unknown kind of figure", file.toStdString(),
                    "end the name in .png, .svg, .pdf or .csv");
    if (isEmpty())
        return fail(ErrorCode::InvalidArgument, "there is nothing to export yet", file.toStdString());
    QSaveFile out(file);
    if (!out.open(QIODevice::WriteOnly))
        return tl::unexpected<Error>(cannotWrite(file, out.errorString()));
    const bool written = suffix == known[3] ? writeCsv(table(), out) : writeFigure(suffix, out, size.isEmpty() ? figureSize() : size);
    if (!written || !out.commit())
        return tl::unexpected<Error>(cannotWrite(file, out.errorString()));
    return {};
}

bool PlotView::writeFigure(const QString &suffix, QIODevice &device, QSize size)
{
    QCustomPlot *plot = m_impl->plot;
    const PlotTheme screen = m_impl->theme;
    m_impl->theme = PlotTheme::paper();
    m_impl->figure = true;
    applyTheme(m_impl->theme);
    QFont font = axisFont();
    font.setBold(true);
    plot->plotLayout()->insertRow(0);
    plot->plotLayout()->addElement(0, 0, new QCPTextElement(plot, m_impl->title, font));
    const QSize area = size - QSize(0, QFontMetrics(font).height() + TitleGap);
    // The first drawing lays out, which ticks and squares of the second follow.
    for (int round = 0; round < 2; ++round) {
        prepare(area, PngScale);
        plot->toPixmap(size.width(), size.height());
    }
    prepare(area, PngScale);

    bool written = false;
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    const auto paint = [&](QPaintDevice *target) {
        QCPPainter painter(target);
        painter.setMode(QCPPainter::pmVectorized);
        painter.setMode(QCPPainter::pmNoCaching);
        plot->toPainter(&painter, size.width(), size.height());
        return painter.end();
    };
    if (suffix == QLatin1String("png")) {
        written = plot->toPixmap(size.width(), size.height(), PngScale).save(&buffer, "PNG");
    } else if (suffix == QLatin1String("svg")) {
        QSvgGenerator generator;
        generator.setOutputDevice(&buffer);
        generator.setSize(size);
        generator.setViewBox(QRect(QPoint(), size));
        generator.setTitle(m_impl->title);
        written = paint(&generator);
    } else {
        QPdfWriter writer(&buffer);
        writer.setTitle(m_impl->title);
        writer.setPageMargins(QMarginsF(0, 0, 0, 0));
        writer.setPageSize(QPageSize(QSizeF(size) * 0.75, QPageSize::Point, {}, QPageSize::ExactMatch));
        writer.setResolution(96);
        written = paint(&writer);
    }
    plot->plotLayout()->remove(plot->plotLayout()->element(0, 0));
    plot->plotLayout()->simplify();
    m_impl->theme = screen;
    m_impl->figure = false;
    applyTheme(screen);
    updateNow();
    return written && device.write(bytes) == bytes.size();
}

QCustomPlot *PlotView::plot() const
{
    return m_impl->plot;
}

const PlotTheme &PlotView::theme() const
{
    return m_impl->theme;
}

bool PlotView::isFigure() const
{
    return m_impl->figure;
}

QSize PlotView::figureSize() const
{
    return {900, 420};
}

QFont PlotView::axisFont() const
{
    QFont smaller = font();
    smaller.setPointSizeF(std::max(7.0, smaller.pointSizeF() * 0.85));
    return smaller;
}

void PlotView::scheduleUpdate()
{
    if (!m_impl->timer.isActive())
        m_impl->timer.start(FrameMilliseconds);
}

void PlotView::updateNow()
{
    m_impl->timer.stop();
    showPage();
    if (!m_impl->settled || isEmpty() || m_impl->tableShown)
        return;
    prepare(m_impl->plot->size(), devicePixelRatioF());
    m_impl->plot->replot(QCustomPlot::rpQueuedReplot);
}

void PlotView::applyTheme(const PlotTheme &theme)
{
    m_impl->plot->setBackground(theme.background);
    restyle();
}

void PlotView::adoptPalette()
{
    m_impl->theme = PlotTheme::fromPalette(palette());
    QPalette hint = palette();
    hint.setColor(QPalette::WindowText, m_impl->theme.muted);
    m_impl->hint->setPalette(hint);
    applyTheme(m_impl->theme);
    m_impl->settled = true;
}

void PlotView::changeEvent(QEvent *event)
{
    QWidget::changeEvent(event);
    if (!m_impl->settled || (event->type() != QEvent::PaletteChange && event->type() != QEvent::FontChange))
        return;
    adoptPalette();
    updateNow();
}

void PlotView::showEvent(QShowEvent *event)
{
    QWidget::showEvent(event);
    if (!m_impl->settled)
        adoptPalette();
    updateNow();
}

void PlotView::resizeEvent(QResizeEvent *event)
{
    QWidget::resizeEvent(event);
    m_impl->redraws = 0;
    scheduleUpdate();
}

void PlotView::keyPressEvent(QKeyEvent *event)
{
    switch (event->key()) {
    case Qt::Key_Left: moveChoice(-1, 0); return;
    case Qt::Key_Right: moveChoice(1, 0); return;
    case Qt::Key_Up: moveChoice(0, -1); return;
    case Qt::Key_Down: moveChoice(0, 1); return;
    case Qt::Key_0:
    case Qt::Key_Home: resetView(); return;
    case Qt::Key_T: setTableShown(!m_impl->tableShown); return;
    default: QWidget::keyPressEvent(event);
    }
}

void PlotView::focusInEvent(QFocusEvent *event)
{
    m_impl->keyboardFocus = event->reason() == Qt::TabFocusReason || event->reason() == Qt::BacktabFocusReason
                            || event->reason() == Qt::ShortcutFocusReason;
    update();
}

void PlotView::focusOutEvent(QFocusEvent *)
{
    m_impl->keyboardFocus = false;
    update();
}

void PlotView::paintEvent(QPaintEvent *)
{
    if (!m_impl->keyboardFocus)
        return;
    QPainter painter(this);
    painter.setPen(m_impl->theme.accent);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
}

void PlotView::contextMenuEvent(QContextMenuEvent *event)
{
    QMenu menu(this);
    addActionsTo(&menu);
    menu.exec(event->globalPos());
}

} // namespace lens
