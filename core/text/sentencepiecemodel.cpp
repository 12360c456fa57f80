#include "text/sentencepiecemodel.h"

#include "text/bpe.h"
#include "text/utf8.h"
#include "text/wirereader.h"

#include <bit>
#include <cmath>

namespace lens {

namespace {

// The library recurses once for each byte of a piece while it builds its trie.
constexpr std::size_t longestPiece = 512;
constexpr std::size_t mostPieces = 4u << 20;
constexpr const char *damaged = "the tokenizer file is damaged or was made to do harm; get it from its source again";

using Piece = SentencePieceModel::Piece;
using FieldType = WireField::Type;

namespace modelField { constexpr std::uint32_t piece = 1, trainer = 2, normalizer = 3; }
namespace pieceField { constexpr std::uint32_t text = 1, score = 2, type = 3; }
namespace trainerField {
constexpr std::uint32_t modelType = 3, whiteSpaceIsSuffix = 24, byteFallback = 35, unknownSurface = 44,
                        unknownPiece = 45, bosPiece = 46, eosPiece = 47, paddingPiece = 48;
}
namespace normalizerField { constexpr std::uint32_t characterMap = 2, dummyPrefix = 3, extraSpaces = 4, escape = 5; }

class Reader {
public:
    Reader(std::string_view file, const std::string &where) : m_file(file), m_where(where) {}

    Result<SentencePieceModel> read()
    {
        const auto field = [this](const WireField &f, std::size_t offset) { return modelPart(f, offset); };
        if (auto done = eachField(m_file, 0, field); !done)
            return propagate(done);
        if (auto done = checkWhole(); !done)
            return propagate(done);
        return std::move(m_model);
    }

private:
    template <class Handler>
    Result<void> eachField(std::string_view data, std::size_t base, Handler handler)
    {
        WireReader reader(data, base);
        while (!reader.atEnd()) {
            const auto field = reader.next();
            if (!field) {
                Error error = field.error();
                error.where = m_where + ", " + error.where;
                error.advice = damaged;
                return tl::unexpected<Error>(std::move(error));
            }
            const std::size_t inside = field->type == FieldType::Bytes ? reader.offsetOf(field->bytes) : field->offset;
            if (Result<void> done = handler(*field, inside); !done)
                return done;
        }
        return {};
    }

    tl::unexpected<Error> malformed(std::string what, std::size_t offset) const
    {
        return fail(ErrorCode::Malformed, std::move(what), m_where + ", byte " + std::to_string(offset), damaged);
    }

    tl::unexpected<Error> badPiece(const std::string &what, std::size_t offset) const
    {
        return malformed("piece " + std::to_string(m_model.pieces.size()) + " " + what, offset);
    }

    Result<void> modelPart(const WireField &field, std::size_t offset)
    {
        if (field.number < modelField::piece || field.number > modelField::normalizer)
            return {};
        if (field.type != FieldType::Bytes)
            return malformed("field " + std::to_string(field.number) + " is not a message", offset);
        if (field.number == modelField::piece)
            return readPiece(field.bytes, offset);
        if (field.number == modelField::trainer)
            return eachField(field.bytes, offset,
                             [this](const WireField &f, std::size_t at) { return trainerPart(f, at); });
        return eachField(field.bytes, offset,
                         [this](const WireField &f, std::size_t at) { return normalizerPart(f, at); });
    }

    Result<void> readPiece(std::string_view data, std::size_t offset)
    {
        Piece piece;
        std::uint64_t type = 1;
        auto done = eachField(data, offset, [&](const WireField &field, std::size_t at) -> Result<void> {
            const FieldType wanted = field.number == pieceField::text    ? FieldType::Bytes
                                     : field.number == pieceField::score ? FieldType::Fixed32
                                                                         : FieldType::Varint;
            if (field.number > pieceField::type)
                return {};
            if (field.type != wanted)
                return badPiece("has a field of the wrong type", at);
            if (field.number == pieceField::text)
                piece.text = field.bytes.substr(0, longestPiece + 1);
            else if (field.number == pieceField::score)
                piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
            else
                type = field.value;
            return {};
        });
        if (!done)
            return done;
        if (auto good = checkPiece(piece, type, offset); !good)
            return good;
        piece.type = static_cast<SentencePieceModel::Type>(type);
        m_model.pieces.push_back(std::move(piece));
        return {};
    }

    Result<void> checkPiece(const Piece &piece, std::uint64_t type, std::size_t offset)
    {
        if (m_model.pieces.size() >= mostPieces)
            return fail(ErrorCode::LimitExceeded, "there are more than " + std::to_string(mostPieces) + " pieces",
                        m_where, damaged);
        if (piece.text.empty())
            return badPiece("is empty", offset);
        if (piece.text.size() > longestPiece)
            return fail(ErrorCode::LimitExceeded,
                        "piece " + std::to_string(m_model.pieces.size()) + " is longer than "
                            + std::to_string(longestPiece) + " bytes",
                        m_where + ", byte " + std::to_string(offset), damaged);
        if (piece.text.find('\0') != std::string::npos)
            return badPiece("contains a NUL byte", offset);
        if (!isValidUtf8(piece.text))
            return badPiece("is not valid UTF-8", offset);
        if (!std::isfinite(piece.score))
            return badPiece("has a score that is not a finite number", offset);
        if (type < 1 || type > 6)
            return badPiece("has the unknown type " + std::to_string(type), offset);
        const auto kind = static_cast<SentencePieceModel::Type>(type);
        if (kind == SentencePieceModel::Type::Byte && !byteOfPiece(piece.text))
            return badPiece("is a byte piece, but named \"" + piece.text.substr(0, 40) + "\"", offset);
        const auto index = static_cast<TokenId>(m_model.pieces.size());
        if (kind == SentencePieceModel::Type::Unknown) {
            if (m_unknown >= 0)
                return badPiece("is a second <unk>, after piece " + std::to_string(m_unknown), offset);
            m_unknown = index;
        }
        const auto [entry, isNew] = m_seen.try_emplace(piece.text, index);
        if (!isNew)
            return badPiece("repeats piece " + std::to_string(entry->second), offset);
        return {};
    }

    Result<void> trainerPart(const WireField &field, std::size_t offset)
    {
        const auto text = [&](std::string &target) -> Result<void> {
            if (field.type != FieldType::Bytes || field.bytes.size() > longestPiece || !isValidUtf8(field.bytes)
                || field.bytes.find('\0') != std::string_view::npos)
                return malformed("the name of a special piece is not acceptable", offset);
            target = field.bytes;
            return {};
        };
        const auto number = [&](auto &target, std::uint64_t most) -> Result<void> {
            if (field.type != FieldType::Varint || field.value > most)
                return malformed("trainer field " + std::to_string(field.number) + " has an impossible value", offset);
            target = static_cast<std::remove_reference_t<decltype(target)>>(field.value);
            return {};
        };
        switch (field.number) {
        case trainerField::modelType:
            if (field.value == 0)
                return malformed("the model has no known type", offset);
            return number(m_model.modelType, 4);
        case trainerField::whiteSpaceIsSuffix: return number(m_model.whiteSpaceIsSuffix, 1);
        case trainerField::byteFallback: return number(m_model.byteFallback, 1);
        case trainerField::unknownSurface: return text(m_model.unknownSurface);
        case trainerField::unknownPiece: return text(m_model.unknownPiece);
        case trainerField::bosPiece: return text(m_model.bosPiece);
        case trainerField::eosPiece: return text(m_model.eosPiece);
        case trainerField::paddingPiece: return text(m_model.paddingPiece);
        default: return {};
        }
    }

    Result<void> normalizerPart(const WireField &field, std::size_t offset)
    {
        if (field.number == normalizerField::characterMap) {
            if (field.type != FieldType::Bytes)
                return malformed("the character map is not a string", offset);
            m_model.characterMap = field.bytes;
            return checkCharacterMap(field.bytes, m_where + ", character map at byte " + std::to_string(offset));
        }
        bool *flag = field.number == normalizerField::dummyPrefix   ? &m_model.addDummyPrefix
                     : field.number == normalizerField::extraSpaces ? &m_model.removeExtraSpaces
                     : field.number == normalizerField::escape      ? &m_model.escapeSpaces
                                                                    : nullptr;
        if (!flag)
            return {};
        if (field.type != FieldType::Varint || field.value > 1)
            return malformed("normalizer field " + std::to_string(field.number) + " is not a flag", offset);
        *flag = field.value != 0;
        return {};
    }

    Result<void> checkWhole() const
    {
        if (m_model.pieces.empty())
            return fail(ErrorCode::Malformed, "there are no pieces", m_where, damaged);
        if (m_unknown < 0)
            return fail(ErrorCode::Malformed, "no piece is the <unk> piece", m_where, damaged);
        std::size_t bytePieces = 0;
        for (const Piece &piece : m_model.pieces)
            bytePieces += piece.type == SentencePieceModel::Type::Byte ? 1 : 0;
        if (bytePieces != (m_model.byteFallback ? 256u : 0u))
            return fail(ErrorCode::Malformed,
                        "there are " + std::to_string(bytePieces) + " byte pieces, but byte fallback is "
                            + (m_model.byteFallback ? "on" : "off"),
                        m_where, damaged);
        return {};
    }

    std::string_view m_file;
    const std::string &m_where;
    SentencePieceModel m_model;
    PieceIds m_seen;
    TokenId m_unknown = -1;
};

} // namespace

Result<SentencePieceModel> readSentencePieceModel(std::string_view file, const std::string &where)
{
    return Reader(file, where).read();
}

std::string rebuilt(const SentencePieceModel &model)
{
    WireWriter out;
    for (const Piece &each : model.pieces) {
        WireWriter piece;
        piece.bytes(pieceField::text, each.text);
        piece.float32(pieceField::score, each.score);
        piece.varint(pieceField::type, static_cast<std::uint64_t>(each.type));
        out.bytes(modelField::piece, piece.data());
    }
    WireWriter trainer;
    trainer.varint(trainerField::modelType, model.modelType);
    trainer.varint(trainerField::whiteSpaceIsSuffix, model.whiteSpaceIsSuffix);
    trainer.varint(trainerField::byteFallback, model.byteFallback);
    trainer.bytes(trainerField::unknownPiece, model.unknownPiece);
    out.bytes(modelField::trainer, trainer.data());
    WireWriter normalizer;
    if (!model.characterMap.empty())
        normalizer.bytes(normalizerField::characterMap, model.characterMap);
    normalizer.varint(normalizerField::dummyPrefix, model.addDummyPrefix);
    normalizer.varint(normalizerField::extraSpaces, model.removeExtraSpaces);
    normalizer.varint(normalizerField::escape, model.escapeSpaces);
    out.bytes(modelField::normalizer, normalizer.data());
    return out.data();
}

} // namespace lens
