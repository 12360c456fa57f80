#include "uptrain/datafiles.h"

#include "bridge/format.h"
#include "bridge/theme.h"
#include "widgets/iconbutton.h"

#include <QDir>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QMimeData>
#include <QPainter>
#include <QShortcut>
#include <QVBoxLayout>

namespace lens {
namespace {

constexpr int Lines = 3; ///< that the list is high

/// Says in its middle what belongs there, as long as there is nothing.
class HintedList : public QListWidget {
public:
    using QListWidget::QListWidget;
    QString hint;

protected:
    void paintEvent(QPaintEvent *event) override
    {
        QListWidget::paintEvent(event);
        if (count() > 0)
            return;
        QPainter painter(viewport());
        painter.setPen(Colours(palette()).muted);
        painter.drawText(viewport()->rect().adjusted(8, 2, -8, -2), Qt::AlignCenter | Qt::TextWordWrap, hint);
    }
};

} // namespace

DataFiles::DataFiles(QWidget *parent) : QWidget(parent)
{
    setAcceptDrops(true);
    auto *list = new HintedList;
    list->hint = tr("Drop text files here: plain text or JSON lines, also as .gz");
    m_list = list;
    m_list->setAccessibleName(tr("Texts to train on"));
    m_list->setTextElideMode(Qt::ElideMiddle);
    m_list->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_list->setFixedHeight(Lines * (fontMetrics().height() + 10) + 8);
    m_list->setFrameShape(QFrame::StyledPanel);
    m_list->setStyleSheet(QStringLiteral("QListView { border: 1px solid palette(mid); border-radius: 4px; }"));
    auto *add = new IconButton(QStringLiteral("plus"), tr("Add text files…"));
    auto *remove = new IconButton(QStringLiteral("minus"), tr("Remove the chosen files from the list"));
    m_remove = remove;
    auto *buttons = new QVBoxLayout;
    buttons->addWidget(add);
    buttons->addWidget(remove);
    buttons->addStretch();
    auto *layout = new QHBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_list, 1);
    layout->addLayout(buttons);
    connect(add, &QToolButton::clicked, this, &DataFiles::browse);
    connect(remove, &QToolButton::clicked, this, &DataFiles::removeChosen);
    connect(m_list, &QListWidget::itemSelectionChanged, this, &DataFiles::refresh);
    auto *deletes = new QShortcut(QKeySequence::Delete, m_list);
    deletes->setContext(Qt::WidgetShortcut);
    connect(deletes, &QShortcut::activated, this, &DataFiles::removeChosen);
    refresh();
}

QStringList DataFiles::files() const
{
    QStringList files;
    for (int row = 0; row < m_list->count(); ++row)
        files.append(m_list->item(row)->data(Qt::UserRole).toString());
    return files;
}

void DataFiles::setFiles(const QStringList &files)
{
    m_list->clear();
    addFiles(files);
}

void DataFiles::addFiles(const QStringList &added)
{
    const QStringList present = files();
    for (const QString &file : added) {
        if (present.contains(file))
            continue;
        const QFileInfo info(file);
        const QString size = info.exists() ? formatBytes(quint64(info.size())) : tr("missing");
        auto *item = new QListWidgetItem(tr("%1  ·  %2").arg(info.fileName(), size), m_list);
        item->setData(Qt::UserRole, file);
        item->setToolTip(QDir::toNativeSeparators(file));
    }
    refresh();
    Q_EMIT changed();
}

void DataFiles::browse()
{
    addFiles(QFileDialog::getOpenFileNames(
        this, tr("Texts to train on"), {},
        tr("Texts (*.txt *.jsonl *.txt.gz *.jsonl.gz *.gz *.md);;All files (*)")));
}

void DataFiles::removeChosen()
{
    if (m_list->selectedItems().isEmpty())
        return;
    qDeleteAll(m_list->selectedItems());
    refresh();
    Q_EMIT changed();
}

void DataFiles::refresh()
{
    m_remove->setEnabled(!m_list->selectedItems().isEmpty());
    m_list->viewport()->update();
}

void DataFiles::dragEnterEvent(QDragEnterEvent *event)
{
    if (event->mimeData()->hasUrls())
        event->acceptProposedAction();
}

void DataFiles::dropEvent(QDropEvent *event)
{
    QStringList dropped;
    for (const QUrl &url : event->mimeData()->urls()) {
        if (url.isLocalFile() && QFileInfo(url.toLocalFile()).isFile())
            dropped.append(QDir::cleanPath(url.toLocalFile()));
    }
    addFiles(dropped);
    event->acceptProposedAction();
}

} // namespace lens
