#include "store/codec.h"

#include "store/bytestream.h"

#include <bit>
#include <memory>
#include <zstd.h>

namespace lens {

namespace {

static_assert(std::endian::native == std::endian::little, "the codec writes numbers as they lie in memory");

constexpr std::uint8_t tokenVersion = 1;
constexpr std::uint8_t comparisonVersion = 1;
constexpr std::size_t minTokenBytes = 16; // six fields, of which two are plain numbers of 4 and 8 bytes
constexpr std::size_t minAlternativeBytes = 6;
constexpr int compressionLevel = 3;
constexpr std::size_t maxPlainBytes = std::size_t(256) << 20;

Result<Bytes> compress(std::span<const std::byte> plain)
{
    if (plain.size() > maxPlainBytes)
        return fail(ErrorCode::LimitExceeded, "a measurement is larger than 256 MiB", {}, "store it in smaller pieces");
    const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
    if (!context)
        return fail(ErrorCode::OutOfMemory, "there is not enough memory to compress");
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, compressionLevel);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    Bytes packed(ZSTD_compressBound(plain.size()));
    const std::size_t size = ZSTD_compress2(context.get(), packed.data(), packed.size(), plain.data(), plain.size());
    if (ZSTD_isError(size))
        return fail(ErrorCode::Internal, std::string("compression failed: ") + ZSTD_getErrorName(size));
    packed.resize(size);
    return packed;
}

tl::unexpected<Error> damaged(const char *what)
{
    return fail(ErrorCode::Malformed, std::string("stored data is damaged: ") + what, {},
                "open a backup of the workspace; everything else in this one can still be read");
}

Result<Bytes> decompress(std::span<const std::byte> packed)
{
    const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
        return damaged("it is not a zstd frame of known size");
    if (size > maxPlainBytes)
        return damaged("it announces more than 256 MiB");
    Bytes plain(size);
    const std::size_t got = ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size());
    if (ZSTD_isError(got))
        return damaged(ZSTD_getErrorName(got));
    if (got != size)
        return damaged("it is shorter than announced");
    return plain;
}

void writeFloats(ByteWriter &out, std::span<const float> values)
{
    out.varint(values.size());
    for (const float value : values)
        out.number(value);
}

std::vector<float> readFloats(ByteReader &in)
{
    std::vector<float> values(in.count(sizeof(float)));
    for (float &value : values)
        value = in.number<float>();
    return values;
}

} // namespace

// Column by column, so that like stands beside like, and the texts together at the end.
Result<Bytes> encodeTokens(std::span<const StoredToken> tokens)
{
    ByteWriter out;
    out.byte(tokenVersion);
    out.varint(tokens.size());
    for (const StoredToken &token : tokens)
        out.signedVarint(token.id);
    for (const StoredToken &token : tokens)
        out.varint(token.text.size());
    for (const StoredToken &token : tokens)
        out.number(token.logprob);
    for (const StoredToken &token : tokens)
        out.number(token.seconds);
    std::uint64_t previous = 0;
    for (const StoredToken &token : tokens) {
        out.signedVarint(static_cast<std::int64_t>(token.stateBytes - previous));
        previous = token.stateBytes;
    }
    for (const StoredToken &token : tokens)
        out.varint(token.alternatives.size());
    for (const StoredToken &token : tokens) {
        for (const StoredAlternative &alternative : token.alternatives) {
            out.signedVarint(alternative.id);
            out.varint(alternative.text.size());
            out.number(alternative.logprob);
        }
    }
    for (const StoredToken &token : tokens) {
        out.text(token.text);
        for (const StoredAlternative &alternative : token.alternatives)
            out.text(alternative.text);
    }
    return compress(out.bytes());
}

Result<std::vector<StoredToken>> decodeTokens(std::span<const std::byte> blob)
{
    const Result<Bytes> plain = decompress(blob);
    if (!plain)
        return propagate(plain);
    ByteReader in(*plain);
    if (in.byte() != tokenVersion)
        return damaged("tokens of an unknown layout");
    std::vector<StoredToken> tokens(in.count(minTokenBytes));
    for (StoredToken &token : tokens)
        token.id = static_cast<std::int32_t>(in.signedVarint());
    std::vector<std::size_t> sizes;
    for (std::size_t i = 0; i < tokens.size(); ++i)
        sizes.push_back(in.count());
    for (StoredToken &token : tokens)
        token.logprob = in.number<float>();
    for (StoredToken &token : tokens)
        token.seconds = in.number<double>();
    std::uint64_t previous = 0;
    for (StoredToken &token : tokens)
        token.stateBytes = previous += static_cast<std::uint64_t>(in.signedVarint());
    // The counts together, too, may not exceed what is left, or many tokens could each announce as much.
    std::size_t announced = 0;
    for (StoredToken &token : tokens) {
        const std::size_t count = in.count();
        announced += count;
        if (!in.good() || announced > in.left() / minAlternativeBytes)
            return damaged("more alternatives than there are bytes");
        token.alternatives.resize(count);
    }
    for (StoredToken &token : tokens) {
        for (StoredAlternative &alternative : token.alternatives) {
            alternative.id = static_cast<std::int32_t>(in.signedVarint());
            sizes.push_back(in.count());
            alternative.logprob = in.number<float>();
        }
    }
    std::size_t nextAlternative = tokens.size();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i].text = in.text(sizes[i]);
        for (StoredAlternative &alternative : tokens[i].alternatives)
            alternative.text = in.text(sizes[nextAlternative++]);
    }
    if (!in.good() || in.left() != 0)
        return damaged("tokens end in the middle");
    return tokens;
}

Result<Bytes> encodeIds(std::span<const std::int32_t> ids)
{
    return compress(std::as_bytes(ids));
}

Result<std::vector<std::int32_t>> decodeIds(std::span<const std::byte> blob)
{
    const Result<Bytes> plain = decompress(blob);
    if (!plain)
        return propagate(plain);
    if (plain->size() % sizeof(std::int32_t) != 0)
        return damaged("ids end in the middle");
    std::vector<std::int32_t> ids(plain->size() / sizeof(std::int32_t));
    if (!ids.empty())
        std::memcpy(ids.data(), plain->data(), plain->size());
    return ids;
}

// The four bytes of all values in four planes: exponents then compress well, whatever the mantissas do.
Result<Bytes> encodeFloats(std::span<const float> values)
{
    const auto raw = std::as_bytes(values);
    Bytes planes(raw.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        for (std::size_t plane = 0; plane < sizeof(float); ++plane)
            planes[plane * values.size() + i] = raw[i * sizeof(float) + plane];
    }
    return compress(planes);
}

Result<std::vector<float>> decodeFloats(std::span<const std::byte> blob)
{
    const Result<Bytes> planes = decompress(blob);
    if (!planes)
        return propagate(planes);
    if (planes->size() % sizeof(float) != 0)
        return damaged("numbers end in the middle");
    std::vector<float> values(planes->size() / sizeof(float));
    const auto raw = std::as_writable_bytes(std::span(values));
    for (std::size_t i = 0; i < values.size(); ++i) {
        for (std::size_t plane = 0; plane < sizeof(float); ++plane)
            raw[i * sizeof(float) + plane] = (*planes)[plane * values.size() + i];
    }
    return values;
}

Result<Bytes> encodeComparison(const StoredComparison &comparison)
{
    ByteWriter out;
    out.byte(comparisonVersion);
    out.varint(comparison.ids.size());
    for (const std::int32_t id : comparison.ids)
        out.number(id);
    writeFloats(out, comparison.values.kl);
    writeFloats(out, comparison.values.nllFirst);
    writeFloats(out, comparison.values.nllSecond);
    out.varint(comparison.values.sameTop.size());
    for (const std::uint8_t same : comparison.values.sameTop)
        out.byte(same);
    return compress(out.bytes());
}

Result<StoredComparison> decodeComparison(std::span<const std::byte> blob)
{
    const Result<Bytes> plain = decompress(blob);
    if (!plain)
        return propagate(plain);
    ByteReader in(*plain);
    if (in.byte() != comparisonVersion)
        return damaged("a comparison of an unknown layout");
    StoredComparison comparison;
    comparison.ids.resize(in.count(sizeof(std::int32_t)));
    for (std::int32_t &id : comparison.ids)
        id = in.number<std::int32_t>();
    comparison.values.kl = readFloats(in);
    comparison.values.nllFirst = readFloats(in);
    comparison.values.nllSecond = readFloats(in);
    comparison.values.sameTop.resize(in.count());
    for (std::uint8_t &same : comparison.values.sameTop)
        same = in.byte();
    if (!in.good() || in.left() != 0)
        return damaged("a comparison ends in the middle");
    return comparison;
}

} // namespace lens
