#include "models/modelspage.h"

#include "bridge/modellistmodel.h"
#include "models/modeldelegate.h"
#include "models/modeldetails.h"
#include "models/welcomepage.h"
#include "widgets/iconbutton.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QListView>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace lens {

ModelsPage::ModelsPage(ModelLibrary &library, ModelListModel &list, QWidget *parent)
    : QWidget(parent), m_library(library), m_model(list), m_list(new QListView), m_details(new ModelDetails(library)),
      m_welcome(new WelcomePage), m_stack(new QStackedWidget)
{
    m_stack->addWidget(m_welcome);
    m_stack->addWidget(m_details);
    auto *layout = new QHBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(makeList());
    layout->addWidget(m_stack, 1);
    connect(m_details, &ModelDetails::getModelRequested, this, &ModelsPage::showWelcome);
    connect(m_details, &ModelDetails::openInColumn, this, &ModelsPage::openInColumn);
    connect(m_details, &ModelDetails::compareRequested, this, &ModelsPage::compareRequested);
    connect(m_details, &ModelDetails::convertRequested, this, &ModelsPage::convertRequested);
    connect(m_welcome, &WelcomePage::openRequested, this, &ModelsPage::openRequested);
    connect(&m_model, &QAbstractItemModel::rowsInserted, this, &ModelsPage::updateEmpty);
    connect(&m_model, &QAbstractItemModel::rowsRemoved, this, &ModelsPage::updateEmpty);
    updateEmpty();
}

QWidget *ModelsPage::makeList()
{
    auto *side = new QWidget;
    side->setFixedWidth(300);
    side->setProperty("panel", true);
    side->setAttribute(Qt::WA_StyledBackground);
    auto *heading = new QLabel(tr("Models"));
    heading->setProperty("heading", true);
    auto *open = new IconButton(QStringLiteral("plus"), tr("Open a model file…"));
    auto *folder = new IconButton(QStringLiteral("folder"), tr("Open a model folder…"));
    auto *get = new IconButton(QStringLiteral("download"), tr("Get a chat model…"));
    auto *forget = new IconButton(QStringLiteral("minus"), tr("Remove from the list; the file stays"));
    auto *bar = new QHBoxLayout;
    bar->addWidget(heading, 1);
    bar->addWidget(open);
    bar->addWidget(folder);
    bar->addWidget(get);
    bar->addWidget(forget);
    m_list->setModel(&m_model);
    m_list->setItemDelegate(new ModelDelegate(m_list));
    m_list->setAccessibleName(tr("Models"));
    m_list->setUniformItemSizes(true);
    auto *layout = new QVBoxLayout(side);
    layout->setContentsMargins(12, 10, 12, 10);
    layout->addLayout(bar);
    layout->addWidget(m_list, 1);
    connect(open, &QToolButton::clicked, this, &ModelsPage::openRequested);
    connect(folder, &QToolButton::clicked, this, &ModelsPage::openFolderRequested);
    connect(get, &QToolButton::clicked, this, &ModelsPage::showWelcome);
    connect(forget, &QToolButton::clicked, this, [this] {
        const QModelIndex index = m_list->currentIndex();
        if (index.isValid())
            m_library.remove(index.data(ModelListModel::IdRole).toULongLong());
    });
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this,
            [this, forget](const QModelIndex &index) {
                m_details->show(index.isValid() ? index.data(ModelListModel::IdRole).toULongLong() : 0);
                m_stack->setCurrentWidget(index.isValid() ? static_cast<QWidget *>(m_details) : m_welcome);
                forget->setEnabled(index.isValid() && !index.data(ModelListModel::BundledRole).toBool());
            });
    connect(m_list, &QListView::activated, this, [this](const QModelIndex &index) {
        Q_EMIT openInColumn(index.data(ModelListModel::IdRole).toULongLong());
    });
    return side;
}

void ModelsPage::select(quint64 entry)
{
    m_list->setCurrentIndex(m_model.indexOf(entry));
}

void ModelsPage::showWelcome()
{
    m_list->setCurrentIndex({});
    m_stack->setCurrentWidget(m_welcome);
}

void ModelsPage::updateEmpty()
{
    if (m_model.rowCount() == 0)
        showWelcome();
    else if (!m_list->currentIndex().isValid())
        m_list->setCurrentIndex(m_model.index(0));
}

} // namespace lens
