// The texts to train on: a list that files can be added to, dropped on and removed from.
#pragma once

#include <QListWidget>
#include <QWidget>

namespace lens {

class DataFiles : public QWidget {
    Q_OBJECT

public:
    explicit DataFiles(QWidget *parent = nullptr);

    QStringList files() const;
    void setFiles(const QStringList &files);
    /// Those not in the list yet.
    void addFiles(const QStringList &files);

Q_SIGNALS:
    void changed();

protected:
    void dragEnterEvent(QDragEnterEvent *event) override;
    void dropEvent(QDropEvent *event) override;

private:
    void browse();
    void removeChosen();
    void refresh();

    QListWidget *m_list;
    QWidget *m_remove = nullptr;
};

} // namespace lens
