#include "models/pluginspage.h"

#include "bridge/engineapi.h"
#include "widgets/errorbanner.h"

#include <QDesktopServices>
#include <QDir>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QStandardPaths>
#include <QUrl>
#include <QVBoxLayout>

#include <algorithm>

namespace lens {
namespace {

QLabel *makeLabel(const QString &text, const char *kind)
{
    auto *label = new QLabel(text);
    label->setTextFormat(Qt::PlainText);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    label->setWordWrap(true);
    label->setProperty(kind, true);
    return label;
}

QString usersFolder()
{
    return QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) + QStringLiteral("/supralens/plugins");
}

QString joined(const std::vector<std::string> &parts)
{
    QStringList list;
    for (const std::string &part : parts)
        list.append(QString::fromStdString(part));
    return list.join(QStringLiteral(", "));
}

} // namespace

PluginsPage::PluginsPage(Engine &engine, QWidget *parent)
    : QWidget(parent), m_engine(engine), m_cards(new QVBoxLayout), m_line(makeLabel({}, "muted")),
      m_again(new QPushButton(tr("Look again"))), m_jobs(1)
{
    auto *title = new QLabel(tr("Plugins"));
    QFont large = font();
    large.setPointSizeF(font().pointSizeF() * 1.4);
    large.setBold(true);
    title->setFont(large);
    auto *folder = new QPushButton(tr("Open the plugin folder"));
    auto *bar = new QHBoxLayout;
    bar->addWidget(title, 1);
    bar->addWidget(folder);
    bar->addWidget(m_again);

    auto *list = new QWidget;
    auto *listLayout = new QVBoxLayout(list);
    listLayout->setContentsMargins(0, 0, 8, 0);
    m_cards->setSpacing(10);
    listLayout->addLayout(m_cards);
    listLayout->addStretch();
    auto *scroll = new QScrollArea;
    scroll->setWidget(list);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);

    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(24, 20, 24, 20);
    layout->setSpacing(12);
    layout->addLayout(bar);
    layout->addWidget(makeLabel(tr("Llama, Mistral and open_lm models are built in. Other families come as plugins, which are "
                                   "opened only when a model needs them; each is tried in a process of its own first."),
                                "muted"));
    layout->addWidget(m_line);
    layout->addWidget(scroll, 1);
    connect(m_again, &QPushButton::clicked, this, &PluginsPage::refresh);
    connect(folder, &QPushButton::clicked, this, &PluginsPage::openFolder);
}

void PluginsPage::showEvent(QShowEvent *event)
{
    QWidget::showEvent(event);
    if (!m_looked)
        refresh();
}

void PluginsPage::refresh()
{
    m_looked = true;
    m_again->setEnabled(false);
    m_line->setText(tr("Looking for plugins…"));
    m_jobs.run<std::vector<PluginInfo>>(
        tr("Plugins"), [this](std::stop_token, const ProgressFn &) { return m_engine.plugins(); },
        [this](Result<std::vector<PluginInfo>> plugins) {
            m_again->setEnabled(true);
            present(plugins.value_or(std::vector<PluginInfo>()));
        });
}

void PluginsPage::present(const std::vector<PluginInfo> &plugins)
{
    while (QLayoutItem *item = m_cards->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    const auto refused = std::count_if(plugins.begin(), plugins.end(), [](const PluginInfo &plugin) {
        return plugin.state == PluginInfo::State::Refused;
    });
    if (plugins.empty())
        m_line->setText(tr("No plugin was found. They are looked for in %1.").arg(QDir::toNativeSeparators(usersFolder())));
    else
        m_line->setText(tr("%1 usable, %2 that cannot be used").arg(plugins.size() - std::size_t(refused)).arg(refused));
    for (const PluginInfo &plugin : plugins)
        m_cards->addWidget(makeCard(plugin));
}

QWidget *PluginsPage::makeCard(const PluginInfo &plugin)
{
    auto *card = new QFrame;
    card->setProperty("card", true);
    card->setAccessibleName(QString::fromStdString(plugin.name));
    auto *layout = new QVBoxLayout(card);
    layout->setContentsMargins(14, 10, 14, 12);
    layout->setSpacing(4);
    const QString name = QString::fromStdString(plugin.name);
    auto *heading = makeLabel(plugin.version.empty() ? name : name + QLatin1Char(' ') + QString::fromStdString(plugin.version),
                              "title");
    QFont bold = font();
    bold.setBold(true);
    heading->setFont(bold);
    layout->addWidget(heading);
    if (!plugin.summary.empty())
        layout->addWidget(makeLabel(QString::fromStdString(plugin.summary), "title"));
    if (plugin.state == PluginInfo::State::Usable) {
        layout->addWidget(makeLabel(tr("Adds: %1").arg(joined(plugin.architectures)), "muted"));
    } else {
        auto *reason = new ErrorBanner;
        reason->showWarning(tr("Cannot be used: %1").arg(QString::fromStdString(plugin.reason)), false);
        layout->addWidget(reason);
    }
    layout->addWidget(makeLabel(QDir::toNativeSeparators(QString::fromStdString(plugin.file)), "muted"));
    return card;
}

void PluginsPage::openFolder()
{
    QDir().mkpath(usersFolder());
    QDesktopServices::openUrl(QUrl::fromLocalFile(usersFolder()));
}

} // namespace lens
