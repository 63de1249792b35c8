//! Django projects, with and without its REST framework.

use insta::assert_json_snapshot;

use super::{found, lines};

const SETTINGS: (&str, &str) = ("shop/settings.py", "ROOT_URLCONF = 'shop.urls'\nDEBUG = True\n");

#[test]
fn functions_and_classes_behind_includes() {
    let files = [
        SETTINGS,
        ("shop/__init__.py", ""),
        (
            "shop/urls.py",
            "from django.contrib import admin\nfrom django.urls import path, re_path, include\nfrom django.conf import settings\n\
             from django.conf.urls.static import static\nfrom django.views.generic import TemplateView\nfrom items import views\n\
             urlpatterns = [\n    path('admin/', admin.site.urls),\n    path('', views.home),\n    path('api/', include('items.urls')),\n\
             \x20   path('about/', TemplateView.as_view(template_name='about.html')),\n    re_path(r'^archive/(?P<year>[0-9]{4})/$', views.archive),\n\
             ]\nif settings.DEBUG:\n    urlpatterns += static('/media/', document_root='x')\n    urlpatterns += [path('debug/', views.home)]\n",
        ),
        ("items/__init__.py", ""),
        (
            "items/urls.py",
            "from django.urls import path\nfrom django.views.decorators.csrf import csrf_exempt\nfrom . import views\n\
             from .views import ItemList, ItemDetail\napp_name = 'items'\nurlpatterns = [\n    path('items/', ItemList.as_view(), name='list'),\n\
             \x20   path('items/<int:pk>/', ItemDetail.as_view()),\n    path('echo/', csrf_exempt(views.echo)),\n    path('login/', views.login),\n]\n",
        ),
        (
            "items/views.py",
            "from django.views import View\nfrom django.views.decorators.http import require_http_methods\n\
             from rest_framework import generics\nfrom .serializers import ItemSerializer\n\
             def home(request):\n    \"\"\"The front page.\"\"\"\n    return render(request, 'home.html')\n\
             def archive(request, year): ...\n\
             def login(request):\n    if request.method == 'POST':\n        return redirect('/')\n    return render(request, 'login.html')\n\
             @require_http_methods(['GET', 'POST'])\ndef echo(request):\n    'Says it again.'\n\
             class ItemList(generics.ListCreateAPIView):\n    \"\"\"All items.\"\"\"\n    serializer_class = ItemSerializer\n\
             class ItemDetail(View):\n    def get(self, request, pk):\n        \"\"\"One item.\"\"\"\n    def delete(self, request, pk): ...\n",
        ),
        (
            "other/urls.py",
            "from django.urls import path\nurlpatterns = [path('not/served/', lambda r: None)]\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn routers_viewsets_and_actions() {
    let files = [
        SETTINGS,
        (
            "shop/urls.py",
            "from django.urls import path, include\nfrom rest_framework.routers import DefaultRouter\nfrom rest_framework_nested import routers\n\
             from rest_framework_simplejwt.views import TokenObtainPairView\nfrom .views import *\n\
             router = DefaultRouter()\nrouter.register(r'items', ItemViewSet, basename='item')\nrouter.register('tags', TagViewSet)\n\
             nested = routers.NestedSimpleRouter(router, r'items', lookup='item')\nnested.register(r'notes', NoteViewSet)\n\
             urlpatterns = [\n    path('api/', include([*router.urls])),\n    path('api/', include(nested.urls)),\n    path('api/token/', TokenObtainPairView.as_view()),\n\
             \x20   path('api/hook/', hook),\n    path('api/one/<slug:slug>/', ItemViewSet.as_view({'get': 'retrieve', 'put': 'update'})),\n]\n",
        ),
        (
            "shop/views.py",
            "from rest_framework import mixins, viewsets\nfrom rest_framework.decorators import action, api_view\n\
             class ItemViewSet(viewsets.ModelViewSet):\n    \"\"\"Items.\"\"\"\n    serializer_class = ItemSerializer\n    lookup_field = 'slug'\n\
             \x20   http_method_names = ['get', 'post', 'put', 'head']\n\
             \x20   @action(detail=True, methods=['post'], url_path='mark-read')\n    def mark(self, request, slug=None):\n        \"\"\"Mark it.\"\"\"\n\
             \x20   @action(detail=False)\n    def recent(self, request): ...\n\
             class TagViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):\n    def destroy(self, request, pk): ...\n\
             class NoteViewSet(viewsets.ReadOnlyModelViewSet): ...\n\
             @api_view(['POST'])\ndef hook(request): ...\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn ninja_apis_and_projects_without_settings() {
    let files = [
        (
            "proj/urls.py",
            "from django.urls import include, path\nfrom .api import api\nurlpatterns = [path('api/', api.urls), path('x/', include('missing.urls'))]\n",
        ),
        (
            "proj/api.py",
            "from ninja import NinjaAPI\nfrom notes.api import router\napi = NinjaAPI()\napi.add_router('/notes/', router)\n\
             api.add_router('events', 'events.api.router')\n@api.get('/health')\ndef health(request): ...\n",
        ),
        (
            "notes/api.py",
            "from ninja import Router\nrouter = Router(tags=['notes'])\n@router.post('/{int:id}', response=list[NoteOut])\ndef add(request, id: int, payload: NoteIn, q: str = None):\n    'Add.'\n",
        ),
        (
            "events/api.py",
            "from ninja import Router\nrouter = Router()\n@router.get('/')\ndef all(request): ...\n",
        ),
    ];
    assert_eq!(lines(&files), ["GET /api/events", "GET /api/health", "POST /api/notes/{id}"]);
}
