// The plugins page: what it says of plugins that work, of plugins that do not, and of none at all.
#include "models/pluginspage.h"
#include "ui/support/fakeengine.h"

#include <QLabel>
#include <QPushButton>
#include <QTest>

using namespace lens;

namespace {

QString textOf(const QWidget &page)
{
    QStringList texts;
    for (const QLabel *label : page.findChildren<QLabel *>())
        if (label->isVisible())
            texts.append(label->text());
    return texts.join(QLatin1Char('\n'));
}

PluginInfo usable()
{
    PluginInfo plugin;
    plugin.file = "/somewhere/mamba.so";
    plugin.name = "Mamba";
    plugin.version = "1.0";
    plugin.summary = "Selective state-space models";
    plugin.architectures = {"mamba"};
    plugin.state = PluginInfo::State::Usable;
    return plugin;
}

PluginInfo refused()
{
    PluginInfo plugin;
    plugin.file = "/somewhere/old.so";
    plugin.name = "Old";
    plugin.reason = "the plugin was built for plugin interface 7 <b>";
    return plugin;
}

} // namespace

class TestPluginsPage : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void nothingIsLookedForBeforeThePageIsShown()
    {
        FakeEngine engine;
        engine.knownPlugins = {usable()};
        PluginsPage page(engine);
        QTest::qWait(50);
        QVERIFY(!textOf(page).contains(QStringLiteral("Mamba")));
    }

    void pluginsAreListedWithTheirReasons()
    {
        FakeEngine engine;
        engine.knownPlugins = {usable(), refused()};
        PluginsPage page(engine);
        page.resize(900, 600);
        page.show();
        QTRY_VERIFY(textOf(page).contains(QStringLiteral("Mamba 1.0")));
        const QString text = textOf(page);
        QVERIFY(text.contains(QStringLiteral("mamba")));
        QVERIFY(text.contains(QStringLiteral("Selective state-space models")));
        QVERIFY(text.contains(QStringLiteral("1 usable, 1 that cannot be used")));
        QVERIFY2(text.contains(QStringLiteral("plugin interface 7")), qPrintable(text));
        QVERIFY(text.contains(QStringLiteral("old.so")));
        QVERIFY(page.grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/plugins-page.png")));
    }

    void withoutPluginsItSaysWhereTheyBelong()
    {
        FakeEngine engine;
        PluginsPage page(engine);
        page.show();
        QTRY_VERIFY(textOf(page).contains(QStringLiteral("No plugin was found")));
        QVERIFY(textOf(page).contains(QStringLiteral("supralens/plugins")));
    }

    void lookingAgainFindsWhatIsNew()
    {
        FakeEngine engine;
        PluginsPage page(engine);
        page.show();
        QTRY_VERIFY(textOf(page).contains(QStringLiteral("No plugin was found")));
        engine.knownPlugins = {usable()};
        for (QPushButton *button : page.findChildren<QPushButton *>())
            if (button->text() == QStringLiteral("Look again"))
                QTest::mouseClick(button, Qt::LeftButton);
        QTRY_VERIFY(textOf(page).contains(QStringLiteral("Mamba 1.0")));
    }
};

QTEST_MAIN(TestPluginsPage)
#include "tst_pluginspage.moc"
