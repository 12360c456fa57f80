#include "compare/sidepanel.h"

#include "bridge/modellistmodel.h"
#include "bridge/sessionlistmodel.h"
#include "compare/generationpanel.h"
#include "models/modeldelegate.h"
#include "widgets/iconbutton.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QListView>
#include <QVBoxLayout>

#include <algorithm>

namespace lens {
namespace {

QWidget *heading(const QString &text, QWidget *button)
{
    auto *row = new QWidget;
    auto *layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 6, 0, 0);
    auto *label = new QLabel(text);
    label->setProperty("heading", true);
    layout->addWidget(label, 1);
    if (button)
        layout->addWidget(button);
    return row;
}

/// As high as its rows, up to some; lists inside a scroll area must not scroll by themselves before that.
void fitHeight(QListView *list, int most)
{
    const int rows = std::min(list->model()->rowCount(), most);
    int height = 4;
    for (int i = 0; i < rows; ++i)
        height += list->sizeHintForRow(i);
    list->setFixedHeight(height);
    list->setVisible(rows > 0);
}

} // namespace

SidePanel::SidePanel(QAbstractItemModel *sessions, QAbstractItemModel *models, QWidget *parent)
    : QScrollArea(parent), m_sessions(makeList(sessions, tr("Recent sessions"), 5)),
      m_models(makeList(models, tr("Models"), 5)), m_generation(new GenerationPanel)
{
    m_models->setItemDelegate(new ModelDelegate(m_models));
    m_generation->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFixedWidth(226);
    auto *create = new IconButton(QStringLiteral("plus"), tr("New session (Ctrl+N)"));
    auto *open = new IconButton(QStringLiteral("plus"), tr("Open a model… (Ctrl+O)"));
    auto *content = new QWidget;
    content->setProperty("panel", true);
    content->setAttribute(Qt::WA_StyledBackground);
    auto *layout = new QVBoxLayout(content);
    layout->setContentsMargins(12, 4, 12, 12);
    layout->setSpacing(4);
    layout->addWidget(heading(tr("Sessions"), create));
    layout->addWidget(m_sessions);
    layout->addWidget(heading(tr("Models"), open));
    layout->addWidget(m_models);
    layout->addWidget(heading(tr("Generation"), nullptr));
    layout->addWidget(m_generation);
    layout->addStretch();
    setWidget(content);
    connect(create, &QToolButton::clicked, this, &SidePanel::newSessionRequested);
    connect(open, &QToolButton::clicked, this, &SidePanel::openModelRequested);
    connect(m_sessions, &QListView::clicked, this, [this](const QModelIndex &index) {
        Q_EMIT sessionChosen(index.data(SessionListModel::IdRole).toLongLong());
    });
    connect(m_models, &QListView::clicked, this,
            [this](const QModelIndex &index) { Q_EMIT modelChosen(index.data(ModelListModel::IdRole).toULongLong()); });
}

QListView *SidePanel::makeList(QAbstractItemModel *model, const QString &name, int most)
{
    auto *list = new QListView;
    list->setModel(model);
    list->setAccessibleName(name);
    list->setEditTriggers(QAbstractItemView::NoEditTriggers);
    list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    list->setTextElideMode(Qt::ElideRight);
    const auto fit = [list, most] { fitHeight(list, most); };
    connect(model, &QAbstractItemModel::modelReset, list, fit);
    connect(model, &QAbstractItemModel::rowsInserted, list, fit);
    connect(model, &QAbstractItemModel::rowsRemoved, list, fit);
    fit();
    return list;
}

void SidePanel::setCurrentSession(qint64 session)
{
    const auto *model = qobject_cast<const SessionListModel *>(m_sessions->model());
    m_sessions->setCurrentIndex(model ? model->indexOf(session) : QModelIndex());
}

} // namespace lens
