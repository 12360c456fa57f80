#include "lensdocks.h"

#include "bridge/attentionmeter.h"
#include "bridge/chatcontroller.h"
#include "bridge/differences.h"
#include "bridge/format.h"
#include "lens/attentiondock.h"
#include "lens/decaydock.h"
#include "lens/klstrip.h"
#include "lens/headmap.h"

#include <QDockWidget>
#include <QMainWindow>
#include <QTimer>
#include <algorithm>

namespace lens {

namespace {

const QList<int> kHeights{220, 200, 380};  // pixels, state norms to attention
constexpr int kLeastHeight = 140;

} // namespace

LensDocks::LensDocks(ChatController &chat, ModelLibrary &library, Differences &differences, AttentionMeter &attention,
                     Selection *selection, QMainWindow *window)
    : QObject(window), m_chat(chat), m_library(library), m_differences(differences), m_attention(attention),
      m_window(window), m_states(new HeadMap(selection, HeadQuantity::StateNorm)), m_decay(new DecayDock(selection)),
      m_attentionDock(new AttentionDock(selection)), m_strip(new KlStrip(selection))
{
    m_docks = {wrap(m_states, QStringLiteral("stateNormDock")), wrap(m_decay, QStringLiteral("decayDock")),
               wrap(m_attentionDock, QStringLiteral("attentionDock"))};
    arrange();
    wireColumns();
    wireStates();
    wireAttention();
    wireStrip();
    updateColumns();
}

QDockWidget *LensDocks::wrap(QWidget *content, const QString &objectName)
{
    auto *dock = new QDockWidget(content->windowTitle(), m_window);
    dock->setObjectName(objectName);
    dock->setWidget(content);
    dock->setAllowedAreas(Qt::AllDockWidgetAreas);
    return dock;
}

void LensDocks::arrange()
{
    m_aside.clear();
    for (QDockWidget *dock : std::as_const(m_docks)) {
        dock->setFloating(false);
        m_window->addDockWidget(Qt::RightDockWidgetArea, dock);
        dock->show();
    }
    m_window->resizeDocks(m_docks, kHeights, Qt::Vertical);
    const int width = m_window->width() < 1500 ? m_window->width() * 36 / 100 : 600;
    m_window->resizeDocks({m_docks.first()}, {width}, Qt::Horizontal);
}

void LensDocks::setShown(bool shown)
{
    if (shown) {
        for (QDockWidget *dock : std::as_const(m_aside))
            dock->show();
        m_aside.clear();
        QTimer::singleShot(0, this, &LensDocks::relieveSqueezed);
        return;
    }
    for (QDockWidget *dock : std::as_const(m_docks)) {
        if (dock->isHidden() || m_aside.contains(dock))
            continue;
        m_aside.append(dock);
        dock->hide();
    }
}

/// Docks that were hidden when the window opened come back with whatever height is left over.
void LensDocks::relieveSqueezed()
{
    if (std::any_of(m_docks.begin(), m_docks.end(), [](const QDockWidget *dock) {
            return dock->isVisible() && !dock->isFloating() && dock->height() < kLeastHeight;
        }))
        m_window->resizeDocks(m_docks, kHeights, Qt::Vertical);
}

void LensDocks::wireColumns()
{
    connect(&m_chat, &ChatController::columnsChanged, this, &LensDocks::updateColumns);
    connect(&m_chat, &ChatController::columnModelChanged, this, [this](int column) { updateModel(column); });
}

void LensDocks::updateColumns()
{
    QStringList names;
    for (int i = 0; i < m_chat.columnCount(); ++i) {
        const ModelEntry *entry = m_library.entry(m_chat.chosenModel(i));
        names.append(entry ? entry->name : tr("column %1").arg(i + 1));
    }
    m_names = names;
    m_states->setColumns(names);
    m_decay->setColumns(names);
    m_attentionDock->setColumns(names);
    m_strip->setColumns(names, m_differences.other());
    m_attention.clear();
    for (int i = 0; i < m_chat.columnCount(); ++i) {
        const ModelInfo &info = m_chat.column(i).info();
        m_states->setModel(i, info);
        m_decay->setModel(i, info);
        m_attentionDock->setModel(i, info);
    }
}

void LensDocks::updateModel(int column)
{
    const ModelEntry *entry = m_library.entry(m_chat.chosenModel(column));
    const QString name = entry ? entry->name : tr("column %1").arg(column + 1);
    const ModelInfo &info = m_chat.column(column).info();
    if (m_names.value(column) != name) {
        updateColumns();
        return;
    }
    if (entry && entry->state == ModelEntry::State::Loaded) {
        m_states->setModel(column, info);
        m_decay->setModel(column, info);
        m_attentionDock->setModel(column, info);
    }
}

void LensDocks::wireStates()
{
    const auto setTexts = [this](int column) {
        const QStringList texts = m_chat.column(column).sequenceTexts();
        m_states->setTokenTexts(column, 0, texts);
        m_decay->overTime().setTokenTexts(column, 0, texts);
    };
    connect(&m_chat, &ChatController::measured, m_states, [this](int column, const HeadFrame &frame) {
        m_states->append(column, frame);
        m_decay->overTime().append(column, frame);
    });
    connect(&m_chat, &ChatController::promptEncoded, m_states, setTexts);
    connect(&m_chat, &ChatController::roundFinished, m_states, [this, setTexts] {
        for (int i = 0; i < m_chat.columnCount(); ++i)
            setTexts(i);
    });
    connect(&m_chat, &ChatController::sessionChanged, m_states, [this] {
        for (int i = 0; i < m_chat.columnCount(); ++i) {
            if (!m_chat.column(i).exchanges().empty())
                continue;
            m_states->clear(i);
            m_decay->overTime().clear(i);
        }
    });
}

void LensDocks::wireAttention()
{
    AttentionDock *dock = m_attentionDock;
    AttentionMeter *meter = &m_attention;
    const auto measure = [dock, meter] {
        meter->measure(dock->column(AttentionDock::First), dock->column(AttentionDock::Second));
    };
    connect(dock, &AttentionDock::measureRequested, meter, measure);
    connect(dock, &AttentionDock::cancelRequested, meter, &AttentionMeter::cancel);
    connect(dock, &AttentionDock::headRequested, meter, &AttentionMeter::requestHead);
    connect(dock, &AttentionDock::errorsRequested, meter, &AttentionMeter::requestErrors);
    connect(meter, &AttentionMeter::measuringChanged, dock, &AttentionDock::setMeasuring);
    connect(meter, &AttentionMeter::progressed, dock, &AttentionDock::setProgress);
    connect(meter, &AttentionMeter::failed, dock, &AttentionDock::setNotice);
    connect(meter, &AttentionMeter::summaryReady, m_decay, &DecayDock::setSummary);
    connect(meter, &AttentionMeter::headReady, dock,
            [dock](int side, const HeadAttention &head) { dock->setHead(AttentionDock::Side(side), head); });
    connect(meter, &AttentionMeter::measured, dock, [dock](const QStringList &texts, const QString &notice) {
        dock->setNotice(notice);
        dock->setMeasured(texts);
    });
    connect(meter, &AttentionMeter::errorsReady, dock, [dock](const AttentionErrors &errors, const QString &notice) {
        dock->setErrors(errors);
        if (!notice.isEmpty())
            dock->setNotice(notice);
    });
    connect(&m_chat, &ChatController::answerStarted, dock, [this] {
        m_attention.clear();
        m_attentionDock->clear();
        m_decay->clearSummaries();
    });
    connect(&m_chat, &ChatController::roundFinished, dock, [dock, measure] {
        if (dock->autoMeasure())
            measure();
    });
}

void LensDocks::wireStrip()
{
    connect(m_strip, &KlStrip::otherChosen, &m_differences, &Differences::setOther);
    connect(&m_differences, &Differences::otherChanged, this, [this](int column) {
        m_strip->setColumns(m_names, column);
        m_chat.setComparedColumn(column);
    });
    connect(&m_differences, &Differences::compared, m_strip, &KlStrip::setComparison);
    connect(&m_differences, &Differences::cleared, m_strip, [this](const QString &notice) {
        if (notice.isEmpty())
            m_strip->clear();
        else
            m_strip->setNotice(notice);
    });
    connect(&m_chat, &ChatController::firstDifferenceChanged, m_strip, &KlStrip::setFirstDifference);
}

} // namespace lens
