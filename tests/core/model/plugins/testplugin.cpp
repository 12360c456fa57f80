// A plugin for tests, built several times: whole, and with one fault each.
#include "model/plugin.h"

#include <cstdlib>
#include <stdexcept>

namespace {

enum Fault { Whole, ThrowsWhenAsked, ThrowsWhenOpened, CrashesWhenOpened, ThrowsWhenRecognising, ThrowsWhenBuilding, Empty };
constexpr Fault fault = SUPRALENS_TEST_FAULT;

struct Initialiser {
    Initialiser()
    {
        if (fault == ThrowsWhenOpened)
            throw std::runtime_error("thrown by an initialiser");
        if (fault == CrashesWhenOpened)
            std::abort();
    }
} initialiser;

/// Knows checkpoints whose configuration says "model_type": "supralens-test", and can build none.
class TestArchitecture final : public lens::Architecture {
public:
    std::string_view id() const override { return "test"; }

    bool recognises(const lens::Checkpoint &checkpoint) const override
    {
        if (fault == ThrowsWhenRecognising)
            throw 42;
        return checkpoint.find("test.weight") != nullptr;
    }

    lens::Result<lens::ModelInfo> inspect(const lens::Checkpoint &) const override
    {
        lens::ModelInfo info;
        info.architecture = "test";
        return info;
    }

    lens::Result<lens::LanguageModelPtr> build(const lens::Checkpoint &checkpoint, const lens::BuildOptions &) const override
    {
        if (fault == ThrowsWhenBuilding)
            throw std::runtime_error("thrown while building");
        return lens::fail(lens::ErrorCode::Unsupported, "the test plugin builds nothing", checkpoint.path().string());
    }
};

} // namespace

SUPRALENS_PLUGIN("Test", "1.2", "For tests only")
{
    if (fault == ThrowsWhenAsked)
        throw std::runtime_error("thrown when asked for architectures");
    if (fault != Empty)
        registry.add(std::make_unique<TestArchitecture>());
}
