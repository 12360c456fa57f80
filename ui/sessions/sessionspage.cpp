#include "sessions/sessionspage.h"

#include "bridge/sessionlistmodel.h"
#include "sessions/sessiondelegate.h"
#include "store/transfer.h"
#include "widgets/errorbanner.h"

#include <QDir>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPointer>
#include <QPushButton>
#include <QSaveFile>
#include <QVBoxLayout>

namespace lens {
namespace {

Result<void> writeExport(Workspace &workspace, RowId session, const QString &path)
{
    const auto document = path.endsWith(QLatin1String(".json"), Qt::CaseInsensitive)
                              ? exportSessionJson(workspace, session)
                              : exportSessionMarkdown(workspace, session);
    if (!document)
        return propagate(document);
    QSaveFile file(path);
    const bool written = file.open(QIODevice::WriteOnly) &&
                         file.write(document->data(), qint64(document->size())) == qint64(document->size()) &&
                         file.commit();
    if (!written)
        return fail(ErrorCode::Io, file.errorString().toStdString(), path.toStdString(), "choose another place");
    return {};
}

} // namespace

SessionsPage::SessionsPage(StoreThread &store, SessionListModel &model, QWidget *parent)
    : QWidget(parent), m_store(store), m_model(model), m_search(new QLineEdit), m_list(new QListView),
      m_empty(new QLabel), m_error(new ErrorBanner), m_notice(makeNotice())
{
    m_list->setModel(&model);
    m_list->setItemDelegate(new SessionDelegate(m_list));
    m_list->setEditTriggers(QAbstractItemView::EditKeyPressed);
    m_list->setAccessibleName(tr("Sessions"));
    m_empty->setAlignment(Qt::AlignCenter);
    m_empty->setWordWrap(true);
    m_empty->setProperty("muted", true);
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(24, 18, 24, 18);
    layout->setSpacing(10);
    layout->addWidget(makeBar());
    layout->addWidget(m_error);
    layout->addWidget(m_notice);
    layout->addWidget(m_list, 1);
    layout->addWidget(m_empty, 1);
    connect(m_list, &QListView::activated, this, [this] { Q_EMIT openRequested(currentSession()); });
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, &SessionsPage::updateState);
    connect(&model, &SessionListModel::refreshed, this, &SessionsPage::updateState);
    connect(&model, &SessionListModel::failed, this, &SessionsPage::showError);
    connect(&model, &SessionListModel::sessionRemoved, this, [this](qint64 session, const QString &title) {
        showNotice(tr("“%1” was deleted.").arg(title), true);
        Q_EMIT removed(session);
    });
    updateState();
}

QWidget *SessionsPage::makeBar()
{
    m_search->setPlaceholderText(tr("Search titles, prompts and answers"));
    m_search->setAccessibleName(tr("Search sessions"));
    m_search->setClearButtonEnabled(true);
    auto *create = new QPushButton(tr("New"));
    auto *open = new QPushButton(tr("Open"));
    auto *rename = new QPushButton(tr("Rename"));
    auto *exporting = new QPushButton(tr("Export…"));
    auto *remove = new QPushButton(tr("Delete"));
    create->setProperty("primary", true);
    auto *bar = new QWidget;
    auto *layout = new QHBoxLayout(bar);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_search, 1);
    for (QPushButton *button : {create, open, rename, exporting, remove})
        layout->addWidget(button);
    m_needSession = {open, exporting};
    m_needWriting = {rename, remove};
    connect(m_search, &QLineEdit::textChanged, &m_model, &SessionListModel::setSearch);
    connect(create, &QPushButton::clicked, this, &SessionsPage::newRequested);
    connect(open, &QPushButton::clicked, this, [this] { Q_EMIT openRequested(currentSession()); });
    connect(rename, &QPushButton::clicked, this, [this] { m_list->edit(m_list->currentIndex()); });
    connect(exporting, &QPushButton::clicked, this, &SessionsPage::exportCurrent);
    connect(remove, &QPushButton::clicked, this, [this] { m_model.remove(currentSession()); });
    return bar;
}

QWidget *SessionsPage::makeNotice()
{
    auto *bar = new QFrame;
    bar->setProperty("card", true);
    m_noticeText = new QLabel;
    m_noticeText->setTextFormat(Qt::PlainText);
    m_noticeText->setTextInteractionFlags(Qt::TextSelectableByMouse);
    auto *undo = new QPushButton(tr("Undo"));
    m_undo = undo;
    auto *layout = new QHBoxLayout(bar);
    layout->setContentsMargins(10, 4, 4, 4);
    layout->addWidget(m_noticeText, 1);
    layout->addWidget(m_undo);
    connect(undo, &QPushButton::clicked, this, [this] {
        m_model.undoRemove();
        m_notice->hide();
        m_list->setFocus();
    });
    bar->hide();
    return bar;
}

void SessionsPage::showNotice(const QString &text, bool undoable)
{
    m_noticeText->setText(text);
    m_undo->setVisible(undoable);
    m_notice->show();
}

qint64 SessionsPage::currentSession() const
{
    return m_list->currentIndex().data(SessionListModel::IdRole).toLongLong();
}

void SessionsPage::setCurrent(qint64 session)
{
    const QModelIndex index = m_model.indexOf(session);
    if (index.isValid())
        m_list->setCurrentIndex(index);
}

void SessionsPage::focusSearch()
{
    m_search->setFocus();
    m_search->selectAll();
}

void SessionsPage::showError(const Error &error)
{
    m_error->showError(error);
    updateState();
}

void SessionsPage::updateState()
{
    const bool empty = m_model.rowCount() == 0;
    m_list->setVisible(!empty);
    m_empty->setVisible(empty);
    const Access access = m_store.access();
    m_empty->setText(access == Access::None                  ? tr("Sessions can be listed once the workspace is open.")
                     : !m_model.search().trimmed().isEmpty() ? tr("Nothing found for “%1”.").arg(m_model.search())
                     : access == Access::Reading
                         ? tr("No sessions yet.")
                         : tr("No sessions yet. Everything you ask is kept here, as you ask it."));
    const bool chosen = !empty && m_list->currentIndex().isValid();
    for (QWidget *button : m_needSession)
        button->setEnabled(chosen);
    for (QWidget *button : m_needWriting) {
        button->setEnabled(chosen && access == Access::Writing);
        button->setToolTip(access == Access::Reading ? tr("The workspace is open elsewhere and read-only here")
                                                     : QString());
    }
}

void SessionsPage::exportCurrent()
{
    const qint64 session = currentSession();
    QString name = m_list->currentIndex().data().toString();
    name.replace(QLatin1Char('/'), QLatin1Char('-'));
    QString filter;
    QString path = QFileDialog::getSaveFileName(this, tr("Export session"), name + QStringLiteral(".md"),
                                                tr("Markdown (*.md);;JSON with all tokens (*.json)"), &filter);
    if (path.isEmpty())
        return;
    if (filter.contains(QLatin1String("*.json")) && path.endsWith(QLatin1String(".md")))
        path.replace(path.size() - 3, 3, QStringLiteral(".json"));
    m_error->hide();
    m_store.run<void>([session, path](Workspace &workspace) { return writeExport(workspace, session, path); },
                      [self = QPointer(this), path](const Result<void> &result) {
                          if (!self)
                              return;
                          if (result)
                              self->showNotice(tr("Exported to %1").arg(QDir::toNativeSeparators(path)), false);
                          else
                              self->showError(result.error());
                      });
}

} // namespace lens
