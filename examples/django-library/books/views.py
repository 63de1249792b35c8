import json

from django.http import HttpResponseNotAllowed, JsonResponse

from .models import Book


def health(request):
    return JsonResponse({"books": Book.objects.count()})


def books(request):
    """All books by year, or one more."""
    if request.method == "GET":
        return JsonResponse({"books": list(Book.objects.order_by("year").values("title", "year"))})
    if request.method == "POST":
        book = Book.objects.create(**json.loads(request.body))
        return JsonResponse({"id": book.id}, status=201)
    return HttpResponseNotAllowed(["GET", "POST"])
