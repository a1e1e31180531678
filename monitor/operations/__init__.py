"""Pages of those who run the site: servers, clouds and what the admin keeps."""
