// Tokens chosen where the logits lie, so that a GPU never waits for the host: a token is fed to the model before the
// host has read it, and what that step adds is taken back when the token turns out to end the text. Nothing in here
// waits for the device but next(), for a token whose successor the device is already computing. Probes do wait: whoever
// wants numbers of every step gets them step by step.
//
// Works on any device with float64, on the CPU too, where it is what tests compare with HostDecoding.
#pragma once

#include "engine/decoding.h"
#include "engine/devicesampler.h"
#include "tensor/hosttransfer.h"

namespace lens {

class DeviceDecoding final : public Decoding {
public:
    explicit DeviceDecoding(DecodingParts parts) : m_parts(std::move(parts)) {}
    ~DeviceDecoding() override;

    DeviceDecoding(const DeviceDecoding &) = delete;
    DeviceDecoding &operator=(const DeviceDecoding &) = delete;

    Result<ChosenToken> next(bool isLast) override;
    Result<Fed> keep() override;

private:
    /// A choice that is queued on the device and may not have been made yet.
    struct Choice {
        at::Tensor id;
        Readback report;
    };

    void begin();
    Choice choose(const at::Tensor &logits);
    Result<Fed> feedAhead(const at::Tensor &id);

    DecodingParts m_parts;
    std::optional<DeviceSampler> m_sampler;
    at::Tensor m_logits;             // of the token after what is kept
    at::Tensor m_logitsAhead;        // of the token after the one fed ahead
    std::optional<Choice> m_choice;  // the next one
    Result<Fed> m_fed = Fed::Stopped;  // what became of feeding the token that next() returned
    TokenId m_id = 0;                  // that token
};

} // namespace lens
