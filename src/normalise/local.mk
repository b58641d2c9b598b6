noinst_LIBRARIES += %D%/libnormalise.a
%C%_libnormalise_a_SOURCES =
