#include "compare/compareworkspace.h"

#include "bridge/chatcontroller.h"
#include "bridge/selection.h"
#include "compare/comparecolumn.h"
#include "compare/promptbox.h"
#include "widgets/errorbanner.h"
#include "widgets/iconbutton.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSplitter>
#include <QVBoxLayout>

namespace lens {

CompareWorkspace::CompareWorkspace(ChatController &controller, ModelLibrary &library, Selection *selection,
                                   QWidget *parent)
    : QWidget(parent), m_controller(controller), m_library(library), m_selection(selection), m_banner(new ErrorBanner),
      m_splitter(new QSplitter(Qt::Horizontal)), m_stripPlace(new QWidget), m_shadingBox(new QComboBox),
      m_prompt(new PromptBox)
{
    m_splitter->setHandleWidth(8);
    m_splitter->setChildrenCollapsible(false);
    auto *strip = new QVBoxLayout(m_stripPlace);
    strip->setContentsMargins(0, 0, 0, 0);
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(10, 8, 10, 10);
    layout->setSpacing(8);
    layout->addWidget(m_banner);
    layout->addWidget(makeBar());
    layout->addWidget(m_splitter, 1);
    layout->addWidget(m_stripPlace);
    layout->addWidget(m_prompt);
    connect(m_prompt, &PromptBox::sendRequested, this, &CompareWorkspace::send);
    connect(m_prompt, &PromptBox::stopRequested, &controller, &ChatController::stopAll);
    connect(m_prompt, &PromptBox::editingCancelled, this, [this] {
        m_prompt->setText(m_editing.draft);
        endEditing();
    });
    connect(&controller, &ChatController::columnsChanged, this, &CompareWorkspace::rebuildColumns);
    connect(&controller, &ChatController::columnModelChanged, this, [this] {
        updateNames();
        updatePrompt();
    });
    connect(&controller, &ChatController::busyChanged, this, &CompareWorkspace::updatePrompt);
    connect(&controller, &ChatController::sessionChanged, this, &CompareWorkspace::endEditing);
    rebuildColumns();
}

QWidget *CompareWorkspace::makeBar()
{
    auto *bar = new QWidget;
    auto *layout = new QHBoxLayout(bar);
    layout->setContentsMargins(2, 0, 2, 0);
    auto *label = new QLabel(tr("Tokens coloured by"));
    label->setProperty("muted", true);
    label->setBuddy(m_shadingBox);
    m_shadingBox->addItems({tr("nothing"), tr("probability"), tr("KL between columns")});
    m_shadingBox->setCurrentIndex(int(m_shading));
    m_shadingBox->setAccessibleName(tr("Tokens coloured by"));
    m_shadingBox->setToolTip(
        tr("Probability: the redder, the less probable. KL: the bluer, the further apart the models are"));
    connect(m_shadingBox, &QComboBox::activated, this, [this](int index) { setShading(Shading(index)); });
    auto *fewer = new IconButton(QStringLiteral("minus"), tr("One column fewer"));
    auto *more = new IconButton(QStringLiteral("columns"), tr("One column more"));
    connect(more, &QToolButton::clicked, this, [this] { m_controller.setColumnCount(m_controller.columnCount() + 1); });
    connect(fewer, &QToolButton::clicked, this, [this] { m_controller.removeColumn(m_controller.columnCount() - 1); });
    const auto enable = [this, fewer, more] {
        more->setEnabled(m_controller.columnCount() < ChatController::maxColumns && !m_controller.isBusy());
        fewer->setEnabled(m_controller.columnCount() > ChatController::minColumns && !m_controller.isBusy());
    };
    connect(&m_controller, &ChatController::columnsChanged, more, enable);
    connect(&m_controller, &ChatController::busyChanged, more, enable);
    enable();
    layout->addWidget(label);
    layout->addWidget(m_shadingBox);
    layout->addStretch();
    layout->addWidget(fewer);
    layout->addWidget(more);
    return bar;
}

void CompareWorkspace::setStrip(QWidget *strip)
{
    m_stripPlace->layout()->addWidget(strip);
}

void CompareWorkspace::setShading(Shading shading)
{
    m_shading = shading;
    m_shadingBox->setCurrentIndex(int(shading));
    for (int i = 0; i < m_splitter->count(); ++i)
        columnWidget(i)->view().setShading(shading);
    Q_EMIT shadingChanged(shading);
}

void CompareWorkspace::focusPrompt()
{
    m_prompt->focusEditor();
}

CompareColumn *CompareWorkspace::columnWidget(int index) const
{
    return qobject_cast<CompareColumn *>(m_splitter->widget(index));
}

void CompareWorkspace::rebuildColumns()
{
    // Its own menu may have asked for this: an old column goes later, and hears of nothing until then.
    while (CompareColumn *old = columnWidget(0)) {
        m_controller.disconnect(old);
        m_selection->disconnect(&old->view());
        old->hide();
        old->setParent(nullptr);
        old->deleteLater();
    }
    QList<int> sizes;
    for (int i = 0; i < m_controller.columnCount(); ++i) {
        auto *column = new CompareColumn(m_controller, m_library, m_selection, i);
        column->view().setShading(m_shading);
        connect(column, &CompareColumn::openRequested, this, &CompareWorkspace::openRequested);
        connect(column, &CompareColumn::convertRequested, this, &CompareWorkspace::convertRequested);
        connect(column, &CompareColumn::detailsRequested, this, &CompareWorkspace::detailsRequested);
        connect(column, &CompareColumn::editRequested, this, &CompareWorkspace::beginEditing);
        connect(&m_controller.column(i), &Column::takesPartChanged, column, [this] { updatePrompt(); });
        m_splitter->addWidget(column);
        m_splitter->setStretchFactor(i, 1);
        sizes.append(1000);
    }
    m_splitter->setSizes(sizes);
    updateNames();
    updatePrompt();
}

void CompareWorkspace::updateNames()
{
    QStringList names;
    for (int i = 0; i < m_controller.columnCount(); ++i) {
        const ModelEntry *entry = m_library.entry(m_controller.chosenModel(i));
        names.append(entry ? entry->name : tr("no model"));
    }
    m_prompt->setColumns(names);
}

void CompareWorkspace::updatePrompt()
{
    m_prompt->setBusy(m_controller.isBusy());
    m_prompt->setCanSend(m_controller.canSend());
}

void CompareWorkspace::send(const QString &prompt, int onlyColumn)
{
    if (m_editing.column >= 0) {
        const Editing editing = m_editing;
        endEditing();
        m_prompt->setText(editing.draft);
        m_controller.editAndResend(editing.column, editing.exchange, prompt);
        return;
    }
    m_prompt->clear();
    m_controller.send(prompt, onlyColumn);
}

void CompareWorkspace::beginEditing(int column, std::size_t exchange)
{
    const auto &exchanges = m_controller.column(column).exchanges();
    if (exchange >= exchanges.size())
        return;
    m_editing = {column, exchange, m_editing.column >= 0 ? m_editing.draft : m_prompt->text()};
    m_prompt->setText(exchanges[exchange].prompt);
    m_prompt->setEditing(
        tr("Editing prompt %1. Sending asks again from there; Esc leaves it as it was.").arg(exchange + 1));
    m_prompt->focusEditor();
}

void CompareWorkspace::endEditing()
{
    m_editing = {};
    m_prompt->setEditing({});
}

} // namespace lens
