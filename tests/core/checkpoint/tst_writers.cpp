// What is written can be read again, is complete or not there at all, and keeps what was there before.
#include "checkpoint/checkpoint.h"
#include "checkpoint/writer.h"

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QtTest>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <csignal>

namespace {

namespace fs = std::filesystem;

lens::NamedTensors sample()
{
    at::manual_seed(5);
    lens::NamedTensors tensors;
    tensors["a.odd"] = at::arange(3, at::kByte);
    tensors["b.half"] = at::randn({3, 5}).to(at::kHalf);
    tensors["c.wide"] = at::randn({2, 3}, at::kDouble);
    tensors["d.turned"] = at::randn({4, 6}).t();
    tensors["e.scalar"] = at::tensor(2.5f);
    tensors["f.empty"] = at::empty({0, 3});
    tensors["g.mask"] = at::arange(3).ne(1);
    tensors["h.brain"] = at::randn({7}).to(at::kBFloat16);
    tensors["i.count"] = at::tensor({std::int64_t{1} << 40});
    return tensors;
}

int entriesIn(const fs::path &folder)
{
    return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

} // namespace

class TestWriters : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { m_folder = std::make_unique<QTemporaryDir>(); }
    void writesSafetensors();
    void writesOpenLm();
    void torchReadsOpenLm();
    void sharesTiedStorage();
    void leavesNothingWhenTheDiskIsFull();
    void cancels();
    void refusesWhatCannotBeStored();
    void fingerprintsContent();

private:
    fs::path folder() const { return m_folder->path().toStdString(); }
    void compare(const lens::CheckpointPtr &checkpoint, const lens::NamedTensors &tensors);

    std::unique_ptr<QTemporaryDir> m_folder;
};

void TestWriters::compare(const lens::CheckpointPtr &checkpoint, const lens::NamedTensors &tensors)
{
    QCOMPARE(checkpoint->tensors().size(), tensors.size());
    for (const auto &[name, tensor] : tensors) {
        const lens::TensorInfo *info = checkpoint->find(name);
        QVERIFY2(info, name.c_str());
        const auto loaded = checkpoint->load(name, info->dtype);
        QVERIFY2(loaded, name.c_str());
        QCOMPARE(loaded->scalar_type(), tensor.scalar_type());
        QVERIFY2(at::equal(*loaded, tensor), name.c_str());
    }
}

void TestWriters::writesSafetensors()
{
    QVERIFY(lens::writeFileAtomically(folder() / "config.json", "{}"));
    QVERIFY(lens::writeSafetensors(folder() / "model.safetensors", sample(), {{"format", "pt"}}));
    QCOMPARE(entriesIn(folder()), 2);
    const auto checkpoint = lens::openCheckpoint(folder());
    QVERIFY2(checkpoint, checkpoint ? "" : lens::toString(checkpoint.error()).c_str());
    compare(*checkpoint, sample());
}

void TestWriters::writesOpenLm()
{
    const fs::path path = folder() / "model";
    QVERIFY(lens::writeOpenLm(path, {{"hidden_dim", 4}}, sample()));
    QCOMPARE(entriesIn(path), 2);
    const auto checkpoint = lens::openCheckpoint(path);
    QVERIFY2(checkpoint, checkpoint ? "" : lens::toString(checkpoint.error()).c_str());
    QVERIFY((*checkpoint)->format() == lens::CheckpointFormat::OpenLm);
    QCOMPARE((*checkpoint)->config().value("hidden_dim", 0), 4);
    compare(*checkpoint, sample());
}

void TestWriters::torchReadsOpenLm()
{
    QVERIFY(lens::writeOpenLm(folder(), nlohmann::json::object(), sample()));
    std::ifstream file(folder() / "epoch_0.pt", std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    const auto content = torch::jit::pickle_load(bytes).toGenericDict();
    QCOMPARE(content.at("epoch").toInt(), std::int64_t{0});
    const auto stateDict = content.at("state_dict").toGenericDict();
    QCOMPARE(stateDict.size(), sample().size());
    for (const auto &[name, tensor] : sample()) {
        const at::Tensor read = stateDict.at(name).toTensor();
        QCOMPARE(read.scalar_type(), tensor.scalar_type());
        QVERIFY2(at::equal(read, tensor), name.c_str());
    }
}

void TestWriters::sharesTiedStorage()
{
    const at::Tensor embedding = at::randn({64, 64});
    QVERIFY(lens::writeOpenLm(folder(), nlohmann::json::object(),
                              {{"tok_embeddings.weight", embedding}, {"output.weight", embedding}}));
    QVERIFY(fs::file_size(folder() / "epoch_0.pt") < 2 * embedding.nbytes());
    const auto checkpoint = lens::openCheckpoint(folder());
    QVERIFY(checkpoint);
    const auto one = (*checkpoint)->load("tok_embeddings.weight", lens::DType::F32);
    const auto two = (*checkpoint)->load("output.weight", lens::DType::F32);
    QVERIFY(one && two);
    QVERIFY(one->data_ptr() == two->data_ptr());
}

void TestWriters::leavesNothingWhenTheDiskIsFull()
{
    const fs::path file = folder() / "model.safetensors";
    QVERIFY(lens::writeFileAtomically(file, "before"));
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    QCOMPARE(getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit small = before;
    small.rlim_cur = 4096; // writing more fails as on a full disk, only with another number
    QCOMPARE(setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto written = lens::writeSafetensors(file, {{"w", at::zeros({4096})}});
    const auto archive = lens::writeOpenLm(folder(), nlohmann::json::object(), {{"w", at::zeros({4096})}});
    QCOMPARE(setrlimit(RLIMIT_FSIZE, &before), 0);
    QVERIFY(!written && !archive);
    QVERIFY(written.error().code == lens::ErrorCode::Io);
    QVERIFY(archive.error().code == lens::ErrorCode::Io);
    QCOMPARE(entriesIn(folder()), 1);
    std::string content;
    std::ifstream(file) >> content;
    QCOMPARE(content, std::string("before"));
}

void TestWriters::cancels()
{
    std::stop_source stop;
    int calls = 0;
    const auto written =
        lens::writeSafetensors(folder() / "x.safetensors", sample(), {}, stop.get_token(), [&](const lens::Progress &) {
            ++calls;
            stop.request_stop();
        });
    QVERIFY(!written);
    QVERIFY(written.error().code == lens::ErrorCode::Cancelled);
    QCOMPARE(calls, 1);
    QCOMPARE(entriesIn(folder()), 0);
}

void TestWriters::refusesWhatCannotBeStored()
{
    const auto complex = lens::writeSafetensors(folder() / "x.safetensors", {{"w", at::zeros({2}, at::kComplexFloat)}});
    QVERIFY(!complex && complex.error().code == lens::ErrorCode::Unsupported);
    const auto meta = lens::writeSafetensors(folder() / "x.safetensors",
                                             {{"w", at::zeros({2}, at::TensorOptions().device(at::kMeta))}});
    QVERIFY(!meta && meta.error().code == lens::ErrorCode::InvalidArgument);
    const auto nowhere = lens::writeFileAtomically(folder() / "no" / "such" / "folder.json", "{}");
    QVERIFY(!nowhere && nowhere.error().code == lens::ErrorCode::Io);
    QCOMPARE(entriesIn(folder()), 0);
}

void TestWriters::fingerprintsContent()
{
    const fs::path models = fs::path(SUPRALENS_TEST_DATA) / "models";
    const auto sharded = lens::openCheckpoint(models / "hf_llama_bias_headdim_sharded");
    QVERIFY(sharded);
    lens::NamedTensors tensors;
    for (const lens::TensorInfo &info : (*sharded)->tensors())
        tensors[info.name] = *(*sharded)->load(info.name, info.dtype);
    QVERIFY(lens::writeFileAtomically(folder() / "config.json", "{}"));
    QVERIFY(lens::writeSafetensors(folder() / "model.safetensors", tensors));
    const auto whole = lens::openCheckpoint(folder());
    QVERIFY(whole);
    const auto expected = lens::fingerprint(**sharded);
    QVERIFY(expected);
    QCOMPARE(expected->size(), std::size_t{32});
    QCOMPARE(*lens::fingerprint(**whole), *expected);

    tensors.begin()->second = tensors.begin()->second + 1e-3;
    QVERIFY(lens::writeSafetensors(folder() / "other.safetensors", tensors));
    const auto other = lens::openCheckpoint(folder() / "other.safetensors");
    QVERIFY(other);
    QVERIFY(*lens::fingerprint(**other) != *expected);

    std::stop_source stop;
    stop.request_stop();
    const auto cancelled = lens::fingerprint(**sharded, stop.get_token());
    QVERIFY(!cancelled && cancelled.error().code == lens::ErrorCode::Cancelled);
}

QTEST_APPLESS_MAIN(TestWriters)
#include "tst_writers.moc"
