# The benchmark's model in rstanarm; prints seconds, smallest bulk ESS of the reported coefficients, divergences as JSON.
arguments <- commandArgs(trailingOnly = TRUE)
suppressMessages({library(rstanarm); library(posterior)})
frame <- read.csv(arguments[1])
options(mc.cores = 2)
iterations <- as.integer(arguments[3])
start <- proc.time()[["elapsed"]]
fit <- stan_lmer(as.formula(arguments[2]), data = frame, chains = 4, iter = 2 * iterations, warmup = iterations, seed = 1,
                 adapt_delta = 0.98, refresh = 0)
wall <- proc.time()[["elapsed"]] - start
sampled <- sum(rstan::get_elapsed_time(fit$stanfit)) / 2  # four chains on two cores, warm-up included
draws <- as_draws_array(as.array(fit))
names <- grep("group:|^x$|sigma|Sigma", variables(draws), value = TRUE)
ess <- min(sapply(names, function(name) ess_bulk(draws[, , name])))
divergences <- sum(sapply(rstan::get_sampler_params(fit$stanfit, inc_warmup = FALSE), function(p) sum(p[, "divergent__"])))
cat(sprintf('{"seconds": %.3f, "sampling": %.3f, "ess": %.1f, "divergences": %d, "version": "rstanarm %s"}\n', wall, sampled,
            ess, divergences, as.character(packageVersion("rstanarm"))))
