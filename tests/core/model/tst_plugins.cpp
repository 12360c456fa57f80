// Plugins that work, and plugins that do not: each is listed with its reason and harms nothing else.
#include "base/folders.h"
#include "checkpoint/writer.h"
#include "engine/engine.h"
#include "model/plugindescriptor.h"
#include "model/plugins.h"

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace lens;

namespace {

QString builtPlugin(const QString &name)
{
    return QStringLiteral(SUPRALENS_TEST_PLUGINS "/%1.so").arg(name);
}

QByteArray contentOf(const QString &file)
{
    QFile opened(file);
    return opened.open(QIODevice::ReadOnly) ? opened.readAll() : QByteArray();
}

void write(const QString &file, const QByteArray &content)
{
    QFile opened(file);
    QVERIFY2(opened.open(QIODevice::WriteOnly), qPrintable(file));
    QCOMPARE(opened.write(content), content.size());
}

} // namespace

class tst_plugins : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init();
    void aPluginAddsItsArchitectures();
    void everyFaultIsListedWithItsReason_data();
    void everyFaultIsListedWithItsReason();
    void otherVersionsAreRefusedUnopened_data();
    void otherVersionsAreRefusedUnopened();
    void filesThatAreNoPlugins_data();
    void filesThatAreNoPlugins();
    void aCrashIsTriedOnlyOnce();
    void anExchangedPluginIsTriedAgain();
    void aBrokenPluginHarmsNoOther();
    void faultsInsideAModelBecomeErrors();
    void anUnknownModelNamesThePluginsThatCannotBeUsed();

private:
    std::string folder() const { return m_folder->path().toStdString(); }
    PluginTrials trials() const
    {
        return {std::filesystem::path(SUPRALENS_TRIAL_PROGRAM), m_memory->filePath("plugins.json").toStdString()};
    }
    std::vector<PluginInfo> open(ArchitectureRegistry &registry) const;
    void install(const QString &name) const { QVERIFY(QFile::copy(builtPlugin(name), m_folder->filePath(name + ".so"))); }
    QString modelFolder() const;

    std::unique_ptr<QTemporaryDir> m_folder, m_memory;
};

std::vector<PluginInfo> tst_plugins::open(ArchitectureRegistry &registry) const
{
    PluginTrials tried = trials();
    const std::vector<std::string> folders = {folder()};
    return openPlugins(folders, tried, registry);
}

QString tst_plugins::modelFolder() const
{
    const QString model = m_memory->filePath("model");
    QDir().mkpath(model);
    write(model + "/config.json", R"({"model_type": "supralens-test"})");
    const NamedTensors tensors = {{"test.weight", at::ones({2, 2})}};
    if (!writeSafetensors((model + "/model.safetensors").toStdString(), tensors))
        qFatal("no model was written");
    return model;
}

void tst_plugins::init()
{
    m_folder = std::make_unique<QTemporaryDir>();
    m_memory = std::make_unique<QTemporaryDir>();
    qputenv("XDG_CACHE_HOME", m_memory->path().toUtf8());
}

void tst_plugins::aPluginAddsItsArchitectures()
{
    install("whole");
    ArchitectureRegistry registry;
    const auto plugins = open(registry);
    QCOMPARE(plugins.size(), 1u);
    QVERIFY2(plugins[0].state == PluginInfo::State::Usable, plugins[0].reason.c_str());
    QCOMPARE(plugins[0].name, std::string("Test"));
    QCOMPARE(plugins[0].version, std::string("1.2"));
    QCOMPARE(plugins[0].summary, std::string("For tests only"));
    QCOMPARE(plugins[0].architectures, std::vector<std::string>{"test"});
    QCOMPARE(registry.all().size(), 1u);
}

void tst_plugins::everyFaultIsListedWithItsReason_data()
{
    QTest::addColumn<QString>("reason");
    QTest::newRow("throwswhenasked") << "thrown when asked for architectures";
    QTest::newRow("throwswhenopened") << "thrown by an initialiser";
    QTest::newRow("crasheswhenopened") << "crashed";
    QTest::newRow("empty") << "offers no architecture";
}

void tst_plugins::everyFaultIsListedWithItsReason()
{
    QFETCH(QString, reason);
    install(QTest::currentDataTag());
    ArchitectureRegistry registry;
    const auto plugins = open(registry);
    QCOMPARE(plugins.size(), 1u);
    QVERIFY(plugins[0].state == PluginInfo::State::Refused);
    QVERIFY2(plugins[0].reason.find(reason.toStdString()) != std::string::npos, plugins[0].reason.c_str());
    QVERIFY(registry.all().empty());
}

void tst_plugins::otherVersionsAreRefusedUnopened_data()
{
    QTest::addColumn<QByteArray>("from");
    QTest::addColumn<QByteArray>("to");
    QTest::addColumn<QString>("reason");
    QTest::newRow("interface") << QByteArray("\"interface\":2") << QByteArray("\"interface\":7") << "plugin interface 7";
    QTest::newRow("libtorch") << QByteArray("\"libtorch\":\"2.") << QByteArray("\"libtorch\":\"1.") << "LibTorch 1.";
    QTest::newRow("no interface") << QByteArray("\"interface\"") << QByteArray("\"interfase\"") << "plugin interface 0";
    QTest::newRow("damaged") << QByteArray("{\"interface\"") << QByteArray("{+interface\"") << "no descriptor";
}

void tst_plugins::otherVersionsAreRefusedUnopened()
{
    QFETCH(QByteArray, from);
    QFETCH(QByteArray, to);
    QFETCH(QString, reason);
    // It would abort this very process if it were opened here.
    QByteArray content = contentOf(builtPlugin("crasheswhenopened"));
    QVERIFY(content.contains(from));
    write(m_folder->filePath("other.so"), content.replace(from, to));
    PluginTrials untried({}, {});
    ArchitectureRegistry registry;
    const std::vector<std::string> folders = {folder()};
    const auto plugins = openPlugins(folders, untried, registry);
    QCOMPARE(plugins.size(), 1u);
    QVERIFY(plugins[0].state == PluginInfo::State::Refused);
    QVERIFY2(plugins[0].reason.find(reason.toStdString()) != std::string::npos, plugins[0].reason.c_str());
}

void tst_plugins::filesThatAreNoPlugins_data()
{
    QTest::addColumn<QByteArray>("content");
    const QByteArray whole = contentOf(builtPlugin("whole"));
    const qsizetype descriptor = whole.indexOf("supralens-plugin-descriptor:");
    QTest::newRow("empty file") << QByteArray();
    QTest::newRow("text") << QByteArray("hello");
    QTest::newRow("only a descriptor") << whole.mid(descriptor, 200);
    QTest::newRow("cut after the descriptor") << whole.left(descriptor + 300);
    QTest::newRow("another library's head") << whole.left(descriptor);
}

void tst_plugins::filesThatAreNoPlugins()
{
    QFETCH(QByteArray, content);
    write(m_folder->filePath("broken.so"), content);
    ArchitectureRegistry registry;
    const auto plugins = open(registry);
    QCOMPARE(plugins.size(), 1u);
    QVERIFY(plugins[0].state == PluginInfo::State::Refused);
    QVERIFY(!plugins[0].reason.empty());
    QVERIFY(registry.all().empty());
}

void tst_plugins::aCrashIsTriedOnlyOnce()
{
    install("crasheswhenopened");
    ArchitectureRegistry registry;
    const std::string first = open(registry)[0].reason;
    // Were it tried again, this program would be started and would say something else.
    PluginTrials remembering(std::filesystem::path("/bin/true"), m_memory->filePath("plugins.json").toStdString());
    const std::vector<std::string> folders = {folder()};
    QCOMPARE(openPlugins(folders, remembering, registry)[0].reason, first);
}

void tst_plugins::anExchangedPluginIsTriedAgain()
{
    install("crasheswhenopened");
    QVERIFY(QFile::rename(m_folder->filePath("crasheswhenopened.so"), m_folder->filePath("one.so")));
    ArchitectureRegistry registry;
    QVERIFY(open(registry)[0].state == PluginInfo::State::Refused);
    write(m_folder->filePath("one.so"), contentOf(builtPlugin("whole")) + "x");
    const auto plugins = open(registry);
    QVERIFY2(plugins[0].state == PluginInfo::State::Usable, plugins[0].reason.c_str());
}

void tst_plugins::aBrokenPluginHarmsNoOther()
{
    for (const char *name : {"crasheswhenopened", "throwswhenasked", "throwswhenrecognising", "whole"})
        install(name);
    ArchitectureRegistry registry;
    const auto plugins = open(registry);
    QCOMPARE(plugins.size(), 4u);
    const auto checkpoint = openCheckpoint(modelFolder().toStdString());
    QVERIFY2(checkpoint, checkpoint ? "" : toString(checkpoint.error()).c_str());
    const auto found = registry.find(**checkpoint);
    QVERIFY(found);
    const auto info = (*found)->inspect(**checkpoint);
    QVERIFY(info);
    QCOMPARE(info->architecture, std::string("test"));
}

void tst_plugins::faultsInsideAModelBecomeErrors()
{
    install("throwswhenbuilding");
    LoadOptions options;
    options.device = "cpu";
    options.pluginFolders = {folder()};
    const auto model = loadModel(modelFolder().toStdString(), options);
    QVERIFY(!model);
    QVERIFY2(model.error().what.find("thrown while building") != std::string::npos, toString(model.error()).c_str());
}

void tst_plugins::anUnknownModelNamesThePluginsThatCannotBeUsed()
{
    install("throwswhenasked");
    LoadOptions options;
    options.device = "cpu";
    options.pluginFolders = {folder()};
    const auto model = loadModel(modelFolder().toStdString(), options);
    QVERIFY(!model);
    QVERIFY(model.error().code == ErrorCode::Unsupported);
    QVERIFY2(model.error().advice.find("Test") != std::string::npos, toString(model.error()).c_str());
}

QTEST_GUILESS_MAIN(tst_plugins)
#include "tst_plugins.moc"
