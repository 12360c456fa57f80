#include "uptrain/jobfiles.h"

#include <array>
#include <cstdio>

namespace lens {

namespace {

std::string number(double value)
{
    std::array<char, 32> text;
    std::snprintf(text.data(), text.size(), "%.10g", value);
    return text.data();
}

/// What WebDataset expands to the names of all shards.
std::string shardPattern(const ShardPlan &plan)
{
    if (plan.shards() == 1)
        return shardName(0) + ".tar";
    return "{" + shardName(0) + ".." + shardName(plan.shards() - 1) + "}.tar";
}

std::string option(const std::string &name, const std::string &value = {})
{
    return "  --" + name + (value.empty() ? "" : " " + value) + " \\\n";
}

std::string optimisation(const Recipe &recipe)
{
    const TrainingStage &stage = recipe.stages.front();
    const OptimiserOptions &adam = recipe.optimiser;
    std::string text = option("lr", number(stage.learningRate)) + option("lr-scheduler", "cosine")
                       + option("lr-cooldown-end", number(stage.finalLearningRate)) + option("warmup", std::to_string(stage.warmup))
                       + option("beta1", number(adam.beta1)) + option("beta2", number(adam.beta2)) + option("eps", number(adam.epsilon))
                       + option("wd", number(adam.weightDecay));
    if (adam.clip > 0)
        text += option("grad-clip-norm", number(adam.clip));
    return text + option("global-batch-size", std::to_string(recipe.batch)) + option("accum-freq", "\"$ACCUMULATION\"")
           + option("seed", std::to_string(recipe.seed));
}

std::string data(const Recipe &recipe, const JobPlan &plan)
{
    return option("dataset-manifest", "\"$HERE/train/manifest.jsonl\"") + option("data-key", "json.gz")
           + option("train-num-samples", std::to_string(plan.epochSequences * recipe.sequenceLength))
           + option("epochs", std::to_string(plan.epochs)) + option("workers", "1")
           + option("val-data", "\"$HERE/heldout/" + shardPattern(plan.heldOut) + "\"") + option("val-data-key", "json.gz")
           + option("val-num-samples", std::to_string(plan.heldOut.sequences * recipe.sequenceLength)) + option("val-frequency", "1");
}

std::string machine(const Recipe &recipe)
{
    std::string text = recipe.dtype == "bfloat16" ? option("precision", "amp_bfloat16") + option("fsdp") + option("fsdp-amp")
                                                  : option("precision", "fp32") + option("fsdp");
    return recipe.recompute ? text + option("grad-checkpointing") : text;
}

} // namespace

std::string jobScript(const Recipe &recipe, const JobPlan &plan)
{
    return R"sh(#!/bin/bash
# Trains model/ on train/ with open_lm (https://github.com/TRI-ML/linear_open_lm) and puts the result into result/.
# GPUS: GPUs of a node. NODES, NODE and MASTER: how many nodes, which one this is, and the address of the first.
# ACCUMULATION: parts that a GPU's share of a batch is cut into.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
GPUS="${GPUS:-8}" NODES="${NODES:-1}" NODE="${NODE:-0}" MASTER="${MASTER:-localhost}" ACCUMULATION="${ACCUMULATION:-1}"

torchrun --nproc-per-node "$GPUS" --nnodes "$NODES" --node-rank "$NODE" \
  --master-addr "$MASTER" --master-port "${PORT:-29500}" -m open_lm.main \
  --model "$HERE/model/model_config.json" \
  --pretrained "$HERE/model/epoch_0.pt" \
  --load-not-strict \
)sh" + data(recipe, plan) + optimisation(recipe) + machine(recipe) + R"sh(  --log-every-n-steps 10 \
  --logs "$HERE/logs" \
  --name job

if [ "$NODE" = 0 ]; then
  mkdir -p "$HERE/result"
  cp "$HERE"/model/* "$HERE/result/"
  rm "$HERE/result/epoch_0.pt"
  cp "$(ls -v "$HERE"/logs/job/checkpoints/epoch_*.pt | tail -n 1)" "$HERE/result/"
  echo "The result is in $HERE/result: supralens-cli info $HERE/result"
fi
)sh";
}

std::string jobReadme(const Recipe &recipe, const JobPlan &plan)
{
    const auto count = [](std::int64_t value) { return std::to_string(value); };
    return "# A training job for open_lm\n\n"
           "Written by SUPRA Lens. It needs Python with PyTorch and open_lm as its authors of linear models have it\n"
           "(https://github.com/TRI-ML/linear_open_lm), GPUs, and nothing else of SUPRA Lens.\n\n"
           "| | |\n|---|---|\n"
           "| `model/` | what training begins with (`epoch_0.pt`), its configuration, the tokenizer |\n"
           "| `train/` | " + count(plan.train.sequences) + " sequences of " + count(plan.train.length) + " tokens in "
               + count(plan.train.shards()) + " shards, in the order they are to be seen |\n"
           "| `heldout/` | " + count(plan.heldOut.sequences) + " sequences that are not trained on |\n"
           "| `recipe.json` | what SUPRA Lens was asked to train |\n"
           "| `run.sh` | the launch line with the hyperparameters of the recipe |\n\n"
           "    GPUS=8 ./run.sh                                        # one machine\n"
           "    GPUS=8 NODES=4 NODE=0 MASTER=10.0.0.1 ./run.sh         # on each of four, NODE being 0 to 3\n\n"
           "A sequence has one token more than the model is given, since the targets are the inputs moved by one. The run is\n"
           + count(plan.epochSequences / recipe.batch * plan.epochs) + " steps of " + count(recipe.batch) + " sequences, cut into " + count(plan.epochs)
           + " of what open_lm calls epochs, after each of which it\nwrites a checkpoint. It gives each data loader whole shards and drops what does not"
           " divide, so that\nthere are some more sequences than the steps take; the number of GPUs times loaders should divide "
           + count(plan.epochSequences / plan.train.perShard) + ".\n\n"
           "`run.sh` ends by copying the last checkpoint into `result/`, beside the configuration and the tokenizer. That folder\n"
           "is a model for SUPRA Lens: open it in the window, or\n\n"
           "    supralens-cli generate result --prompt \"...\"\n\n"
           "What differs from training in SUPRA Lens: open_lm decays all weights, norms and embeddings too, and its cosine has\n"
           "no cool-down behind it.\n";
}

} // namespace lens
