// RWKV checkpoints that are incomplete, contradict themselves, or are of a later version: refused, never a crash.
#include "rwkvmodels.h"

#include <QTemporaryDir>

using namespace lens;
using namespace lens::test;

class TestHostileRwkv : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { qputenv("XDG_CACHE_HOME", m_folder.filePath("cache").toUtf8()); }
    void everyTensorIsNeeded_data() { addDrafts(); }
    void everyTensorIsNeeded();
    void everyShapeIsChecked_data() { addDrafts(); }
    void everyShapeIsChecked();
    void wrongConfigurations_data();
    void wrongConfigurations();
    void valuesMustBeFinite_data() { addDrafts(); }
    void valuesMustBeFinite();
    void laterVersionsAreNamed();
    void blocksMustBePossible();
    void truncatedFiles();

private:
    void addDrafts();
    Draft draft(const QString &name) const;
    Result<LoadedModelPtr> written(const Draft &draft);

    QTemporaryDir m_folder;
};

void TestHostileRwkv::addDrafts()
{
    QTest::addColumn<QString>("name");
    for (const char *name : {"blink", "eagle", "rwkv4"})
        QTest::addRow("%s", name) << name;
}

Draft TestHostileRwkv::draft(const QString &name) const
{
    return name == "eagle" ? huggingFaceRwkv5() : Draft(fixturePath(name == "blink" ? "rwkv5" : "rwkv4"));
}

Result<LoadedModelPtr> TestHostileRwkv::written(const Draft &draft)
{
    const std::string folder = m_folder.filePath("model").toStdString();
    draft.write(folder);
    return loadModel(folder, pluginOptions());
}

void TestHostileRwkv::everyTensorIsNeeded()
{
    QFETCH(QString, name);
    const Draft whole = draft(name);
    for (const auto &[tensor, value] : whole.tensors) {
        Draft changed = whole;
        changed.tensors.erase(tensor);
        const auto model = written(changed);
        if (tensor.find("att.gate") != tensor.npos || tensor.find("attention.gate") != tensor.npos
            || tensor.find("0.att.ln_x.weight") != tensor.npos || tensor.find("0.attention.ln_x.weight") != tensor.npos)
            continue;  // a version without a gate, or RWKV-4
        QVERIFY2(!model, tensor.c_str());
        QVERIFY2(model.error().code == ErrorCode::Mismatch || model.error().code == ErrorCode::Unsupported,
                 toString(model.error()).c_str());
    }
}

void TestHostileRwkv::everyShapeIsChecked()
{
    QFETCH(QString, name);
    const Draft whole = draft(name);
    for (const auto &[tensor, value] : whole.tensors) {
        for (const at::Tensor &other : {at::cat({value, value}, 0), value.reshape({1, 1, -1, 1}), at::zeros({0}), at::zeros({})}) {
            if (other.numel() == value.numel() && value.numel() == value.size(-1))
                continue;  // the same vector
            Draft changed = whole;
            changed.tensors[tensor] = other;
            const auto model = written(changed);
            if (model && other.numel() == value.numel() && tensor.find("time_") != tensor.npos)
                continue;  // the elements of a vector in another shape
            QVERIFY2(!model, tensor.c_str());
        }
    }
}

void TestHostileRwkv::wrongConfigurations_data()
{
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("value");
    for (const char *key : {"hidden_size", "vocab_size", "num_hidden_layers", "attention_hidden_size", "intermediate_size"})
        for (const char *value : {"0", "-1", "1e300", "1.5", "\"8\"", "[]", "3", "4000", "1000000"})
            QTest::addRow("%s %s", key, value) << key << value;
    QTest::addRow("head size") << "head_size" << "16";
    QTest::addRow("epsilon") << "layer_norm_epsilon" << "-1";
    QTest::addRow("tied") << "tie_word_embeddings" << "1";
}

void TestHostileRwkv::wrongConfigurations()
{
    QFETCH(QString, key);
    QFETCH(QString, value);
    for (const char *name : {"eagle", "rwkv4"}) {
        Draft changed = draft(name);
        if ((key == "head_size" && QString(name) == "rwkv4") || (key == "num_hidden_layers" && value == "3"))
            continue;
        changed.config[key.toStdString()] = nlohmann::json::parse(value.toStdString());
        QVERIFY(!written(changed));
        if (key == "hidden_size" || key == "vocab_size" || key == "num_hidden_layers") {
            changed.config.erase(key.toStdString());
            QVERIFY(!written(changed));
        }
    }
}

void TestHostileRwkv::valuesMustBeFinite()
{
    QFETCH(QString, name);
    const Draft whole = draft(name);
    for (const auto &[tensor, value] : whole.tensors) {
        Draft changed = whole;
        changed.tensors[tensor] = value.clone();
        changed.tensors[tensor].flatten()[0] = std::numeric_limits<float>::quiet_NaN();
        const auto model = written(changed);
        QVERIFY2(!model && model.error().code == ErrorCode::Malformed, tensor.c_str());
    }
}

void TestHostileRwkv::laterVersionsAreNamed()
{
    Draft six(fixturePath("rwkv5"));
    six.tensors["blocks.0.att.time_maa_k"] = at::zeros({1, 1, 64});
    const auto model = written(six);
    QVERIFY(!model);
    QCOMPARE(model.error().code, ErrorCode::Unsupported);
    QVERIFY(model.error().what.find("RWKV-6") != std::string::npos);
    Draft seven(fixturePath("rwkv4"));
    seven.rename([](const std::string &name) { return replaced(name, "rwkv.blocks", "model.layers"); });
    seven.config["model_type"] = "rwkv7";
    const auto other = written(seven);
    QVERIFY(!other && other.error().code == ErrorCode::Unsupported);
}

void TestHostileRwkv::blocksMustBePossible()
{
    for (const char *name : {"blocks.99999999999999999999.ln1.weight", "blocks.-1.ln1.weight", "blocks.4096.ln1.weight",
                             "blocks.x", "blocks.", "blocks.7.ln1.weight"}) {
        Draft changed(fixturePath("rwkv5"));
        changed.tensors[name] = at::zeros({64});
        QVERIFY2(!written(changed), name);
    }
}

void TestHostileRwkv::truncatedFiles()
{
    QFile file(QString::fromStdString(fixturePath("rwkv5/model.pth")));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray whole = file.readAll();
    for (int part = 0; part < 32; ++part) {
        QFile cut(m_folder.filePath("cut.pth"));
        QVERIFY(cut.open(QIODevice::WriteOnly));
        cut.write(whole.first(whole.size() * part / 32));
        cut.close();
        QVERIFY(!loadModel(cut.fileName().toStdString(), pluginOptions()));
    }
}

QTEST_GUILESS_MAIN(TestHostileRwkv)
#include "tst_hostilerwkv.moc"
