// Adapters in the window's list of models, with the real engine: what they are shown as, and whose weights they share.
#include "bridge/engineapi.h"
#include "bridge/modellibrary.h"
#include "convert/adapter.h"
#include "model/decoder.h"

#include <QDir>
#include <QTemporaryDir>
#include <QTest>

#include <filesystem>

using namespace lens;

namespace {

constexpr int Patience = 20000;
const char *const baseName = "hf_llama_gqa";

/// An adapter to the base that `engine` has loaded, as training leaves it.
bool writeSample(const LoadedModel &base, Engine &engine, const QString &file)
{
    auto shared = std::make_shared<const LoadedModel>(base.info(), base.model(), nullptr, std::nullopt);
    const auto converted = engine.convert(shared, parseConversion("supra:relu-per-head").value(), {}, {});
    if (!converted)
        return false;
    const auto &decoder = dynamic_cast<const Decoder &>(*(*converted)->model());
    SupraAdapter adapter{base.info().fingerprint, baseName, baseName, decoder.config(), 1.0, {}};
    adapter.config.untrained = false;
    for (const auto &[name, weight] : decoder.weights())
        if (name.find("feature_map") != std::string::npos)
            adapter.tensors[name] = weight;
    return writeAdapter(file.toStdString(), adapter, AdapterStorage::Float16).has_value();
}

} // namespace

class TestAdapterLibrary : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        qputenv("SUPRALENS_MODELS", "");
        qputenv("XDG_DATA_HOME", m_folder.filePath("none").toUtf8());
        qputenv("XDG_DATA_DIRS", m_folder.filePath("none").toUtf8());
        const auto base = m_engine->load(std::string(SUPRALENS_TEST_DATA "/models/") + baseName, {}, {}, {});
        QVERIFY(base);
        QVERIFY(writeSample(**base, *m_engine, m_folder.filePath("small.safetensors")));
    }

    void isListedBesideItsBase()
    {
        const QString place = m_folder.filePath("both");
        putBase(place);
        putAdapter(place + "/adapted/adapter.safetensors");
        ModelLibrary library(*m_engine);
        QCOMPARE(library.addFolder(place).size(), std::size_t(2));
        const quint64 adapted = library.entries()[0].id, base = library.entries()[1].id;
        QVERIFY(waitFor(library, adapted, ModelEntry::State::Listed));
        QCOMPARE(library.entry(adapted)->name, QStringLiteral("hf_llama_gqa (SUPRA adapter)"));
        QVERIFY(!library.entry(adapted)->info->untrained);
        QCOMPARE(library.baseOf(adapted), base);
        QCOMPARE(library.baseOf(base), quint64(0));
        QCOMPARE(library.adapterOf(base), adapted);
        QCOMPARE(library.adapterOf(adapted), quint64(0));
    }

    void loadsItsBaseAndSharesIt()
    {
        const QString place = m_folder.filePath("both");
        ModelLibrary library(*m_engine);
        const quint64 adapted = library.add(place + "/adapted");
        QVERIFY(waitFor(library, adapted, ModelEntry::State::Listed));
        library.load(adapted);
        QVERIFY(waitFor(library, adapted, ModelEntry::State::Loaded));
        const ModelEntry *base = library.entry(library.baseOf(adapted));
        QVERIFY(base && base->model);
        const quint64 both = library.entry(adapted)->info->weightBytes + base->info->weightBytes;
        QVERIFY(library.loadedBytes() < both);
        QCOMPARE(library.loadedBytes(), library.entry(adapted)->info->weightBytes);
        QCOMPARE(library.entry(adapted)->info->mixer, std::string("supra"));
        QVERIFY(!library.entry(adapted)->model->model()->describe().untrained);
    }

    void byBothNames()
    {
        ModelLibrary library(*m_engine);
        const quint64 id = library.add(m_folder.filePath("both/hf_llama_gqa") + "@adapter=" + m_folder.filePath("small.safetensors"));
        QVERIFY(waitFor(library, id, ModelEntry::State::Listed));
        QCOMPARE(library.entry(id)->info->mixer, std::string("supra"));
        library.load(id);
        QVERIFY(waitFor(library, id, ModelEntry::State::Loaded));
    }

    void waitsForItsBase()
    {
        const QString place = m_folder.filePath("later");
        putAdapter(place + "/small.safetensors");
        ModelLibrary library(*m_engine);
        const quint64 adapted = library.addFolder(place).front();
        QVERIFY(waitFor(library, adapted, ModelEntry::State::BaseMissing));
        QCOMPARE(library.entry(adapted)->error->code, ErrorCode::NotFound);
        QVERIFY(library.entry(adapted)->error->what.find(baseName) != std::string::npos);
        library.load(adapted); // as a column does that has it chosen
        QVERIFY(waitFor(library, adapted, ModelEntry::State::BaseMissing));
        putBase(place);
        library.addFolder(place);
        QVERIFY(waitFor(library, adapted, ModelEntry::State::Listed));
        QVERIFY(!library.entry(adapted)->error);
    }

private:
    void putBase(const QString &place) const
    {
        QDir().mkpath(place);
        std::filesystem::copy(std::string(SUPRALENS_TEST_DATA "/models/") + baseName, place.toStdString() + "/" + baseName);
    }

    void putAdapter(const QString &file) const
    {
        QDir().mkpath(QFileInfo(file).path());
        QFile::copy(m_folder.filePath("small.safetensors"), file);
    }

    static bool waitFor(const ModelLibrary &library, quint64 id, ModelEntry::State state)
    {
        return QTest::qWaitFor([&] { return library.entry(id)->state == state; }, Patience);
    }

    QTemporaryDir m_folder;
    std::unique_ptr<Engine> m_engine = makeEngine();
};

QTEST_GUILESS_MAIN(TestAdapterLibrary)
#include "tst_adapterlibrary.moc"
