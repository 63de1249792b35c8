from django.urls import path

from books import views

urlpatterns = [
    path("health", views.health),
    path("books", views.books),
]
