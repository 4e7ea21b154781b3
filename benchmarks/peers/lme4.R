# REML point estimate of the benchmark's model; prints the seconds lmer takes.
arguments <- commandArgs(trailingOnly = TRUE)
suppressMessages(library(lme4))
frame <- read.csv(arguments[1])
formula <- as.formula(arguments[2])
frame$unit <- factor(frame$unit)
if ("time" %in% names(frame)) frame$time <- factor(frame$time)
invisible(lmer(formula, frame[frame$unit %in% levels(frame$unit)[1:min(30, nlevels(frame$unit))], ]))
start <- proc.time()[["elapsed"]]
fit <- lmer(formula, frame)
cat(proc.time()[["elapsed"]] - start, fixef(fit)[["x"]], "\n")
