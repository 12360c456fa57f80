// A model whose file somebody cuts short while it is in use: generating fails with a reason, nothing crashes, and other
// models go on.
#include "engine/engine.h"
#include "fixtures.h"

#include <QTemporaryDir>

namespace fs = std::filesystem;
using namespace lens;

namespace {

LoadedModelPtr load(const fs::path &model)
{
    LoadOptions options;
    options.device = "cpu";
    options.dtype = "float32";
    const auto loaded = loadModel(model.string(), options);
    if (!loaded)
        throw std::runtime_error(toString(loaded.error()));
    return *loaded;
}

GenerationOptions tokens(std::int64_t count, bool plainPath)
{
    GenerationOptions options;
    options.maxTokens = count;
    options.ignoreEndOfText = true;
    options.plainPath = plainPath;
    return options;
}

const std::vector<TokenId> prompt{1, 20, 30, 40, 50};

} // namespace

class TestCutFiles : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void generatingFails_data()
    {
        QTest::addColumn<bool>("plainPath");
        QTest::addRow("one token at a time") << false;
        QTest::addRow("plain path") << true;
    }

    void generatingFails()
    {
        QFETCH(bool, plainPath);
        const fs::path shipped = fs::path(SUPRALENS_SOURCE_DIR) / "resources/models/stories-softmax";
        const fs::path copy = fs::path(m_folder.path().toStdString()) / (plainPath ? "a" : "b");
        const LoadedModelPtr whole = load(shipped);
        QVERIFY(saveModel(*whole, copy.string(), SaveFormat::SupraLens));
        const LoadedModelPtr cut = load(copy);  // stored as it is computed with, so that weights are views of the file
        const auto session = DecodeSession::create(cut), other = DecodeSession::create(whole);
        QVERIFY(session && other);
        const auto before = (*session)->generate(prompt, tokens(4, plainPath), {}, {});
        QVERIFY(before);

        fs::resize_file(copy / "model.safetensors", 5000);
        const auto result = (*session)->generate(prompt, tokens(4, plainPath), {}, {});
        QVERIFY(!result);
        QCOMPARE(result.error().code, ErrorCode::Truncated);
        QVERIFY(QString::fromStdString(result.error().where).endsWith("model.safetensors"));
        QVERIFY(!result.error().advice.empty());
        QVERIFY(!(*session)->generate(prompt, tokens(4, plainPath), {}, {}));

        const auto same = (*other)->generate(prompt, tokens(4, plainPath), {}, {});
        QVERIFY(same);
        QCOMPARE(same->ids, before->ids);
    }

private:
    QTemporaryDir m_folder;
};

QTEST_GUILESS_MAIN(TestCutFiles)
#include "tst_cutfiles.moc"
