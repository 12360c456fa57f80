// What is written can be read again, is complete or not there at all, and keeps what was there before.
#include "checkpoint/checkpoint.h"
#include "checkpoint/writer.h"

#include <QTemporaryDir>
#include <QtTest>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <torch/torch.h>

#include <csignal>

namespace {

namespace fs = std::filesystem;

lens::NamedTensors sample()
{
    torch::manual_seed(5);
    lens::NamedTensors tensors;
    tensors["a.odd"] = torch::arange(3, torch::kByte);
    tensors["b.half"] = torch::randn({3, 5}).to(torch::kHalf);
    tensors["c.wide"] = torch::randn({2, 3}, torch::kDouble);
    tensors["d.turned"] = torch::randn({4, 6}).t();
    tensors["e.scalar"] = torch::tensor(2.5f);
    tensors["f.empty"] = torch::empty({0, 3});
    tensors["g.mask"] = torch::tensor({true, false, true});
    tensors["h.brain"] = torch::randn({7}).to(torch::kBFloat16);
    tensors["i.count"] = torch::tensor({std::int64_t{1} << 40});
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
        QVERIFY2(torch::equal(*loaded, tensor), name.c_str());
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

void TestWriters::sharesTiedStorage()
{
    const at::Tensor embedding = torch::randn({64, 64});
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
    small.rlim_cur = 4096;  // writing more fails as on a full disk, only with another number
    QCOMPARE(setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto written = lens::writeSafetensors(file, {{"w", torch::zeros({4096})}});
    const auto archive = lens::writeOpenLm(folder(), nlohmann::json::object(), {{"w", torch::zeros({4096})}});
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
    const auto written = lens::writeSafetensors(folder() / "x.safetensors", sample(), {}, stop.get_token(),
                                                [&](const lens::Progress &) {
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
    const auto complex = lens::writeSafetensors(folder() / "x.safetensors", {{"w", torch::zeros({2}, torch::kComplexFloat)}});
    QVERIFY(!complex && complex.error().code == lens::ErrorCode::Unsupported);
    const auto meta = lens::writeSafetensors(folder() / "x.safetensors",
                                             {{"w", torch::zeros({2}, torch::TensorOptions().device(torch::kMeta))}});
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
