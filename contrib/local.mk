EXTRA_DIST += %D%/swagger.sh

# Swagger UI stands beside almanacd in a build folder and below pkgdatadir once installed, where it was fetched at all.
all-local: swagger-ui
.PHONY: swagger-ui
swagger-ui:
	@$(SHELL) '$(srcdir)/contrib/swagger.sh' copy swagger-ui
install-data-local:
	if [ -e swagger-ui/ORIGIN ]; then $(MKDIR_P) '$(DESTDIR)$(pkgdatadir)/swagger-ui' && \
		$(INSTALL_DATA) swagger-ui/* '$(DESTDIR)$(pkgdatadir)/swagger-ui'; fi
uninstall-local:
	rm -rf '$(DESTDIR)$(pkgdatadir)/swagger-ui'
clean-local:
	rm -rf swagger-ui
