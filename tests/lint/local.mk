# Lint: shell scripts that print TAP.
TEST_EXTENSIONS = .sh
SH_LOG_DRIVER = $(LOG_DRIVER)
SH_LOG_COMPILER = $(SHELL)
LINT = %D%/layers.sh %D%/banned.sh %D%/words.sh
TESTS += $(LINT)
EXTRA_DIST += $(LINT) %D%/tap.sh
