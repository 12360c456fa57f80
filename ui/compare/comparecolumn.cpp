#include "compare/comparecolumn.h"

#include "bridge/chatcontroller.h"
#include "bridge/format.h"
#include "compare/columnfooter.h"
#include "compare/modelchooser.h"
#include "widgets/errorbanner.h"
#include "widgets/factline.h"
#include "widgets/iconbutton.h"

#include <QHBoxLayout>
#include <QMenu>
#include <QVBoxLayout>

namespace lens {
namespace {

constexpr int narrowWidth = 230; ///< pixels; below, the name needs the room of all buttons but the menu

} // namespace

CompareColumn::CompareColumn(ChatController &controller, ModelLibrary &library, Selection *selection, int index,
                             QWidget *parent)
    : QFrame(parent), m_controller(controller), m_library(library), m_index(index),
      m_column(controller.sharedColumn(index)),
      m_chooser(new ModelChooser(library)), m_facts(new FactLine),
      m_stop(new IconButton(QStringLiteral("stop"), tr("Stop this column"))),
      m_regenerate(new IconButton(QStringLiteral("regenerate"), tr("Answer again"))),
      m_menu(new IconButton(QStringLiteral("more"), tr("More for this column"))),
      m_only(new IconButton(QStringLiteral("link"), QString())), m_warning(new ErrorBanner), m_error(new ErrorBanner),
      m_view(new ChatView(*m_column, selection, index)),
      m_footer(new ColumnFooter(*m_column))
{
    setProperty("card", true);
    setAccessibleName(tr("Column %1").arg(index + 1));
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(1, 1, 1, 1);
    layout->setSpacing(0);
    layout->addWidget(makeHeader());
    layout->addWidget(m_warning);
    layout->addWidget(m_error);
    layout->addWidget(m_view, 1);
    layout->addWidget(m_footer);
    Column &column = *m_column;
    connect(&column, &Column::modelChanged, this, &CompareColumn::updateModel);
    connect(&column, &Column::activityChanged, this, &CompareColumn::updateActivity);
    connect(&column, &Column::exchangesReset, this, &CompareColumn::updateActivity);
    connect(&column, &Column::takesPartChanged, this, &CompareColumn::updateActivity);
    connect(&column, &Column::errorChanged, this, &CompareColumn::updateError);
    connect(&controller, &ChatController::busyChanged, this, &CompareColumn::updateActivity);
    connect(&controller, &ChatController::columnModelChanged, this, [this](int changed) {
        if (changed == m_index)
            updateModel();
    });
    connect(m_error, &ErrorBanner::dismissed, this, [this] { m_column->setError({}); });
    connect(m_view, &ChatView::editRequested, this,
            [this](std::size_t exchange) { Q_EMIT editRequested(m_index, exchange); });
    updateModel();
    updateActivity();
    updateError();
}

QWidget *CompareColumn::makeHeader()
{
    auto *header = new QWidget;
    auto *rows = new QVBoxLayout(header);
    rows->setContentsMargins(6, 5, 6, 5);
    rows->setSpacing(0);
    auto *layout = new QHBoxLayout;
    layout->setSpacing(1);
    auto *facts = new QHBoxLayout;
    facts->setContentsMargins(6, 0, 6, 0);
    facts->addWidget(m_facts);
    rows->addLayout(layout);
    rows->addLayout(facts);
    layout->addWidget(m_chooser, 1);
    layout->addWidget(m_only);
    layout->addWidget(m_stop);
    layout->addWidget(m_regenerate);
    layout->addWidget(m_menu);
    m_only->setCheckable(true);
    connect(m_only, &QToolButton::clicked, this,
            [this](bool checked) { m_column->setTakesPart(checked); });
    connect(m_stop, &QToolButton::clicked, this, [this] {
        if (m_column->isBusy())
            m_controller.stop(m_index);
        else
            m_library.cancel(m_controller.chosenModel(m_index));
    });
    connect(m_regenerate, &QToolButton::clicked, this, [this] { m_controller.regenerate(m_index); });
    connect(m_chooser, &ModelChooser::chosen, this,
            [this](quint64 entry) { m_controller.chooseModel(m_index, entry); });
    connect(m_chooser, &ModelChooser::openRequested, this, [this] { Q_EMIT openRequested(m_index); });
    connect(m_chooser, &ModelChooser::convertedRequested, this,
            [this](quint64 source) { Q_EMIT convertRequested(m_index, source); });
    auto *menu = new QMenu(m_menu);
    m_menu->setMenu(menu);
    m_menu->setPopupMode(QToolButton::InstantPopup);
    connect(menu, &QMenu::aboutToShow, this, &CompareColumn::fillMenu);
    return header;
}

void CompareColumn::fillMenu()
{
    QMenu *menu = m_menu->menu();
    menu->clear();
    const Column &column = *m_column;
    const bool idle = !m_controller.isBusy() && column.model() && column.last();
    menu->addAction(tr("Continue the answer"), this, [this] { m_controller.continueAnswer(m_index); })
        ->setEnabled(idle && !column.last()->answer.tokens.empty());
    menu->addAction(tr("Answer again"), this, [this] { m_controller.regenerate(m_index); })->setEnabled(idle);
    menu->addAction(tr("Edit the last prompt and ask again"), this,
                    [this, &column] { Q_EMIT editRequested(m_index, column.exchanges().size() - 1); })
        ->setEnabled(idle);
    QAction *part = menu->addAction(tr("Takes part in shared prompts"), this,
                                    [this](bool part) { m_column->setTakesPart(part); });
    part->setCheckable(true);
    part->setChecked(column.takesPart());
    menu->addSeparator();
    const quint64 entry = m_controller.chosenModel(m_index);
    const ModelEntry *model = m_library.entry(entry);
    menu->addAction(tr("About this model"), this, [this, entry] { Q_EMIT detailsRequested(entry); })->setEnabled(model);
    menu->addAction(tr("Compare with its SUPRA conversion"), this,
                    [this, entry] {
                        Q_EMIT convertRequested(m_index + 1 < m_controller.columnCount() ? m_index + 1 : m_index - 1,
                                                entry);
                    })
        ->setEnabled(model && model->info && model->info->mixer == "softmax");
    if (model && model->model)
        menu->addAction(tr("Unload the model"), this, [this, entry] { m_library.unload(entry); });
    else
        menu->addAction(tr("Load the model"), this, [this, entry] { m_controller.chooseModel(m_index, entry); })
            ->setEnabled(model && !isLoading());
    menu->addSeparator();
    menu->addAction(tr("Close this column"), this, [this] { m_controller.removeColumn(m_index); })
        ->setEnabled(m_controller.columnCount() > ChatController::minColumns && !m_controller.isBusy());
}

void CompareColumn::updateModel()
{
    const quint64 entry = m_controller.chosenModel(m_index);
    m_chooser->setChosen(entry);
    m_facts->setText(m_chooser->detail());
    const ModelEntry *model = m_library.entry(entry);
    const ModelInfo &info = m_column->info();
    if (info.untrained)
        m_warning->showWarning(tr("Converted, not uptrained: talks nonsense"), false);
    else if (model && model->model && model->model->info().tokenizer.empty())
        m_warning->showWarning(tr("No tokenizer: cannot read prompts"), false);
    else
        m_warning->hide();
    if (!model)
        m_view->setPlaceholder(tr("Choose a model for this column above."));
    else if (model->state == ModelEntry::State::Loading)
        m_view->setPlaceholder(tr("Loading %1…").arg(model->name));
    else if (model->state == ModelEntry::State::Failed || model->state == ModelEntry::State::BaseMissing)
        m_view->setPlaceholder(tr("%1 could not be opened.").arg(model->name));
    else if (!model->model)
        m_view->setPlaceholder(tr("%1 is not loaded. The menu of this column loads it.").arg(model->name));
    else if (model->model->info().tokenizer.empty())
        m_view->setPlaceholder(tr("%1 came without a tokenizer, so it cannot read prompts; its facts and decays can be "
                                  "looked at. To let it answer, put tokenizer.json or tokenizer.model beside its "
                                  "weights and load it again.")
                                   .arg(model->name));
    else
        m_view->setPlaceholder(tr("Type a prompt below: all columns answer it."));
    updateActivity();
}

bool CompareColumn::isLoading() const
{
    const ModelEntry *model = m_library.entry(m_controller.chosenModel(m_index));
    return model && model->state == ModelEntry::State::Loading;
}

void CompareColumn::resizeEvent(QResizeEvent *event)
{
    QFrame::resizeEvent(event);
    updateActivity();
}

void CompareColumn::updateActivity()
{
    const Column &column = *m_column;
    const bool narrow = width() < narrowWidth;
    m_stop->setVisible(column.isBusy() || isLoading());
    m_stop->setLabel(column.isBusy() ? tr("Stop this column") : tr("Stop loading"));
    m_regenerate->setVisible(!narrow && !m_stop->isVisibleTo(this));
    m_only->setVisible(!narrow || !column.takesPart());
    m_regenerate->setEnabled(!m_controller.isBusy() && column.last() && column.model());
    m_only->setChecked(column.takesPart());
    m_only->setIconName(column.takesPart() ? QStringLiteral("link") : QStringLiteral("unlink"));
    m_only->setLabel(column.takesPart() ? tr("Takes part in shared prompts; click to leave it out")
                                        : tr("Left out of shared prompts; click to let it take part"));
}

void CompareColumn::updateError()
{
    const auto &error = m_column->error();
    if (error)
        m_error->showError(*error);
    else
        m_error->hide();
}

} // namespace lens
