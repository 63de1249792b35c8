from django.http import JsonResponse
from django.shortcuts import redirect, render

CHOICES = {"ebb": 0, "flood": 0}


def index(request):
    return render(request, "polls/index.html", {"choices": CHOICES})


def vote(request, choice):
    if request.method != "POST" or choice not in CHOICES:
        return JsonResponse({"error": "no such choice"}, status=404)
    CHOICES[choice] += 1
    return redirect("/")


def health(request):
    return JsonResponse({"ok": True})
