"""Stands around a Django application in a preview. Written by previewd; no part of the app.

Serves static files by Django's own handler, and lets every host through, because the proxy in
front of a preview answers only to names of its own and says in X-Forwarded-Proto how it was asked.
"""

import sys

from django.conf import settings


def _open():
    """Before the application is made, because its middleware looks at these only then."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = False


def _own(setting, default):
    """The application the settings name, else Django's usual one."""
    from django.utils.module_loading import import_string

    named = getattr(settings, setting, None)
    return import_string(named) if named else default()


def _has_static_files():
    return "django.contrib.staticfiles" in settings.INSTALLED_APPS and bool(settings.STATIC_URL)


def _wsgi():
    from django.core.wsgi import get_wsgi_application

    _open()
    application = _own("WSGI_APPLICATION", get_wsgi_application)
    if _has_static_files():
        from django.contrib.staticfiles.handlers import StaticFilesHandler

        application = StaticFilesHandler(application)
    return application


def _asgi():
    from django.core.asgi import get_asgi_application

    _open()
    default = get_asgi_application()
    application = _own("ASGI_APPLICATION", lambda: default)
    if _has_static_files():
        from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

        application = ASGIStaticFilesHandler(application)
    return application


def __getattr__(name):
    # Each server asks for one of them, and only that one is made.
    if name == "wsgi":
        return _wsgi()
    if name == "asgi":
        return _asgi()
    raise AttributeError(name)


if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    _open()
    execute_from_command_line(["manage.py", *sys.argv[1:]])
