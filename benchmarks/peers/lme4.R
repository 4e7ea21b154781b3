# REML point estimate of a model; prints seconds (the median of some fits) and the slope as JSON.
arguments <- commandArgs(trailingOnly = TRUE)
suppressMessages(library(lme4))
frame <- read.csv(arguments[1])
formula <- as.formula(arguments[2])
repeats <- as.integer(arguments[3])
frame$unit <- factor(frame$unit)
if ("time" %in% names(frame)) frame$time <- factor(frame$time)
invisible(lmer(formula, frame[frame$unit %in% levels(frame$unit)[1:min(30, nlevels(frame$unit))], ]))
seconds <- numeric(repeats)
for (k in seq_len(repeats)) {
  start <- proc.time()[["elapsed"]]
  fit <- lmer(formula, frame)
  seconds[k] <- proc.time()[["elapsed"]] - start
}
cat(sprintf('{"seconds": %.4f, "slope": %.8f, "version": "lme4 %s"}\n', median(seconds), fixef(fit)[["x"]],
            as.character(packageVersion("lme4"))))
