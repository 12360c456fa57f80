// The plugins workspace: every plugin that was found, what it adds, and why one cannot be used.
#pragma once

#include "bridge/job.h"
#include "model/plugininfo.h"

#include <QWidget>

class QLabel;
class QPushButton;
class QVBoxLayout;

namespace lens {

class Engine;

class PluginsPage : public QWidget {
    Q_OBJECT

public:
    /// `engine` must outlive the page.
    explicit PluginsPage(Engine &engine, QWidget *parent = nullptr);

    /// Looks for plugins again, in the background.
    void refresh();

protected:
    /// Nothing is opened before somebody looks.
    void showEvent(QShowEvent *event) override;

private:
    void present(const std::vector<PluginInfo> &plugins);
    QWidget *makeCard(const PluginInfo &plugin);
    void openFolder();

    Engine &m_engine;
    QVBoxLayout *m_cards;
    QLabel *m_line;
    QPushButton *m_again;
    bool m_looked = false;
    JobRunner m_jobs;
};

} // namespace lens
