// Configurations and files that lie: each must end in an error of the right kind.
#include "engine/engine.h"

#include <QDir>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QtTest>

using namespace lens;


namespace {

const QString kModels = SUPRALENS_TEST_DATA "/models/";

QByteArray read(const QString &file)
{
    QFile in(file);
    return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
}

bool write(const QString &file, const QByteArray &bytes)
{
    QFile out(file);
    return out.open(QIODevice::WriteOnly) && out.write(bytes) == bytes.size();
}

Result<LoadedModelPtr> load(const QString &folder)
{
    return loadModel(folder.toStdString(), {"cpu", "float32", {}, {SUPRALENS_BUILT_PLUGINS}});
}

} // namespace

class tst_mambarefusals : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void configurations_data();
    void configurations();
    void truncatedWeights();
    void everyTensorIsNeeded();
    void cancelledLoading();

private:
    /// A copy of a fixture with its configuration changed by `changes`; null removes a key.
    static bool copyModel(const QString &fixture, const QJsonObject &changes, const QString &folder);
};

bool tst_mambarefusals::copyModel(const QString &fixture, const QJsonObject &changes, const QString &folder)
{
    const QString from = kModels + fixture;
    QJsonObject config = QJsonDocument::fromJson(read(from + "/config.json")).object();
    for (auto it = changes.begin(); it != changes.end(); ++it) {
        if (it.value().isNull())
            config.remove(it.key());
        else
            config[it.key()] = it.value();
    }
    const QString weights = fixture == "mamba" ? "/model.safetensors" : "/pytorch_model.bin";
    return write(folder + "/config.json", QJsonDocument(config).toJson()) && QFile::copy(from + weights, folder + weights);
}

void tst_mambarefusals::configurations_data()
{
    QTest::addColumn<QString>("fixture");
    QTest::addColumn<QJsonObject>("changes");
    QTest::addColumn<ErrorCode>("code");
    const auto add = [](const char *fixture, const QJsonObject &changes, ErrorCode code) {
        const QByteArray text = QJsonDocument(changes).toJson(QJsonDocument::Compact).left(60);
        QTest::addRow("%s %s", fixture, text.constData()) << QString(fixture) << changes << code;
    };
    for (const char *key : {"hidden_size", "num_hidden_layers", "state_size", "conv_kernel", "time_step_rank", "vocab_size"}) {
        add("mamba", {{key, 0}}, ErrorCode::LimitExceeded);
        add("mamba", {{key, -3}}, ErrorCode::LimitExceeded);
        add("mamba", {{key, 1e18}}, ErrorCode::LimitExceeded);
        add("mamba", {{key, 2.5}}, ErrorCode::Malformed);
        add("mamba", {{key, "many"}}, ErrorCode::Malformed);
        add("mamba", {{key, QJsonArray{1, 2}}}, ErrorCode::Malformed);
        add("mamba", {{key, 5}}, ErrorCode::Mismatch);
    }
    for (const char *key : {"hidden_size", "num_hidden_layers", "state_size", "vocab_size"})
        add("mamba", {{key, QJsonValue()}}, ErrorCode::Mismatch);
    add("mamba", {{"num_hidden_layers", 4000}}, ErrorCode::Mismatch);
    add("mamba", {{"expand", 1e-9}}, ErrorCode::LimitExceeded);
    add("mamba", {{"expand", 3}}, ErrorCode::Mismatch);
    add("mamba", {{"expand", 900}, {"hidden_size", 16000000}}, ErrorCode::LimitExceeded);
    add("mamba", {{"hidden_act", "gelu"}}, ErrorCode::Unsupported);
    add("mamba", {{"use_bias", true}}, ErrorCode::Mismatch);
    add("mamba", {{"use_bias", 7}}, ErrorCode::Malformed);
    add("mamba", {{"tie_word_embeddings", false}}, ErrorCode::Mismatch);
    add("mamba", {{"layer_norm_epsilon", -1}}, ErrorCode::LimitExceeded);
    add("mamba", {{"model_type", "mamba2"}}, ErrorCode::Unsupported);
    add("mamba", {{"model_type", QJsonValue()}}, ErrorCode::Malformed);
    for (const char *key : {"d_model", "n_layer"}) {
        add("mamba_native", {{key, 0}}, ErrorCode::LimitExceeded);
        add("mamba_native", {{key, QJsonValue()}}, ErrorCode::Malformed);
        add("mamba_native", {{key, 5}}, ErrorCode::Mismatch);
    }
    add("mamba_native", {{"pad_vocab_size_multiple", 0}}, ErrorCode::LimitExceeded);
    add("mamba_native", {{"pad_vocab_size_multiple", 64}}, ErrorCode::Mismatch);
    add("mamba_native", {{"vocab_size", QJsonValue()}}, ErrorCode::Mismatch);
    add("mamba_native", {{"rms_norm", false}}, ErrorCode::Mismatch);
    add("mamba_native", {{"ssm_cfg", "none"}}, ErrorCode::Malformed);
    add("mamba_native", {{"ssm_cfg", QJsonObject{{"layer", "Mamba2"}}}}, ErrorCode::Unsupported);
    add("mamba_native", {{"ssm_cfg", QJsonObject{{"d_state", 0}}}}, ErrorCode::LimitExceeded);
    add("mamba_native", {{"ssm_cfg", QJsonObject{{"d_conv", 9}}}}, ErrorCode::Mismatch);
    add("mamba_native", {{"ssm_cfg", QJsonObject{{"dt_rank", "some"}}}}, ErrorCode::Malformed);
    add("mamba_native", {{"attn_layer_idx", QJsonArray{1}}}, ErrorCode::Unsupported);
    add("mamba_native", {{"d_intermediate", 64}}, ErrorCode::Unsupported);
}

void tst_mambarefusals::configurations()
{
    QFETCH(QString, fixture);
    QFETCH(QJsonObject, changes);
    QFETCH(ErrorCode, code);
    const QTemporaryDir folder;
    QVERIFY(copyModel(fixture, changes, folder.path()));
    const auto model = load(folder.path());
    QVERIFY(!model);
    QVERIFY2(model.error().code == code, toString(model.error()).c_str());
    QVERIFY(!model.error().what.empty() && !model.error().where.empty());
}

void tst_mambarefusals::truncatedWeights()
{
    for (const double share : {0.0, 0.01, 0.5, 0.999}) {
        const QTemporaryDir folder;
        QVERIFY(copyModel("mamba", {}, folder.path()));
        QFile weights(folder.filePath("model.safetensors"));
        QVERIFY(weights.resize(static_cast<qint64>(static_cast<double>(weights.size()) * share)));
        QVERIFY(!load(folder.path()));
    }
}

/// A tensor by another name is a tensor that is missing.
void tst_mambarefusals::everyTensorIsNeeded()
{
    const QByteArray whole = read(kModels + "mamba/model.safetensors");
    for (const char *name : {"embeddings", "norm_f", "in_proj", "conv1d", "x_proj", "dt_proj", "A_log", "mixer.D\"", "out_proj"}) {
        const QTemporaryDir folder;
        QVERIFY(copyModel("mamba", {}, folder.path()));
        QByteArray renamed = whole;
        const qsizetype at = renamed.lastIndexOf(name);
        QVERIFY(at > 0);
        renamed[at] = 'z';
        QVERIFY(write(folder.filePath("model.safetensors"), renamed));
        const auto model = load(folder.path());
        QVERIFY(!model);
        QVERIFY2(model.error().code == ErrorCode::Mismatch, name);
    }
}

void tst_mambarefusals::cancelledLoading()
{
    std::stop_source stop;
    stop.request_stop();
    const auto model = loadModel((kModels + "mamba").toStdString(), {"cpu", "float32", {}, {SUPRALENS_BUILT_PLUGINS}},
                                 stop.get_token());
    QVERIFY(!model);
    QCOMPARE(model.error().code, ErrorCode::Cancelled);
}

QTEST_APPLESS_MAIN(tst_mambarefusals)
#include "tst_mambarefusals.moc"
