//! Go projects.

use insta::assert_json_snapshot;

use super::{bodies, found, lines};

const MOD: (&str, &str) = ("go.mod", "module example.com/shop\n\ngo 1.22\n");

#[test]
fn net_http_with_patterns_and_methods() {
    let main = r#"package main

import (
	"log"
	"net/http"
)

const api = "/api"

// health says that all is well.
func health(w http.ResponseWriter, r *http.Request) {}

func items(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
	case "POST":
	default:
		http.Error(w, "no", http.StatusMethodNotAllowed)
	}
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", health)
	mux.HandleFunc(api+"/items", items)
	mux.Handle("DELETE /items/{id}", http.HandlerFunc(remove))
	mux.HandleFunc("/{$}", index)
	mux.Handle("/static/", http.FileServer(http.Dir("static")))
	admin := http.NewServeMux()
	admin.HandleFunc("GET /users/{rest...}", health)
	mux.Handle("/admin/", http.StripPrefix("/admin", admin))
	http.HandleFunc("/default", health)
	log.Fatal(http.ListenAndServe(":8080", mux))
}
"#;
    assert_json_snapshot!(found(&[MOD, ("main.go", main)]));
}

#[test]
fn chi_over_packages_and_methods_of_types() {
    let files = [
        MOD,
        (
            "cmd/server/main.go",
            "package main\n\nimport \"example.com/shop/internal/web\"\n\nfunc main() {\n\tsrv := web.NewServer()\n\tsrv.Run()\n}\n",
        ),
        (
            "internal/web/server.go",
            "package web\n\nimport (\n\t\"net/http\"\n\n\t\"github.com/go-chi/chi/v5\"\n\t\"github.com/go-chi/chi/v5/middleware\"\n)\n\n\
             type Server struct {\n\trouter *chi.Mux\n}\n\nfunc NewServer() *Server {\n\ts := &Server{router: chi.NewRouter()}\n\ts.routes()\n\treturn s\n}\n\n\
             func (s *Server) routes() {\n\ts.router.Use(middleware.Logger)\n\ts.router.Get(\"/\", s.home)\n\
             \ts.router.Route(\"/articles\", func(r chi.Router) {\n\t\tr.With(paginate).Get(\"/\", list)\n\t\tr.Route(\"/{id:[0-9]+}\", func(r chi.Router) {\n\t\t\tr.Put(\"/\", s.update)\n\t\t})\n\t})\n\
             \ts.router.Mount(\"/admin\", adminRouter())\n\ts.router.Group(func(r chi.Router) { r.Method(\"PATCH\", \"/grouped\", nil) })\n}\n\n\
             // home is the front page.\nfunc (s *Server) home(w http.ResponseWriter, r *http.Request) {}\n",
        ),
        (
            "internal/web/admin.go",
            "package web\n\nimport \"github.com/go-chi/chi/v5\"\n\nfunc adminRouter() chi.Router {\n\tr := chi.NewRouter()\n\tr.Delete(\"/users/{id}\", nil)\n\treturn r\n}\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn gin_echo_fiber_and_mux() {
    let gin = (
        "main.go",
        "package main\n\nimport (\n\t\"github.com/gin-gonic/gin\"\n\t\"example.com/shop/routes\"\n)\n\nfunc main() {\n\tr := gin.Default()\n\tr.GET(\"/ping\", func(c *gin.Context) {})\n\
         \tv1 := r.Group(\"/v1\")\n\t{\n\t\tv1.POST(\"/users/:id\", create)\n\t}\n\troutes.Register(v1)\n\tr.Handle(\"PUT\", \"/x/*path\", create)\n\tr.Run()\n}\n",
    );
    let routes = (
        "routes/routes.go",
        "package routes\n\nimport \"github.com/gin-gonic/gin\"\n\nfunc Register(rg *gin.RouterGroup) {\n\tfor _, h := range []handler{{Path: \"/a\"}, {Path: \"/b\"}} {\n\t\trg.DELETE(h.Path, h.Do)\n\t}\n}\n",
    );
    assert_eq!(
        lines(&[MOD, gin, routes]),
        ["GET /ping", "DELETE /v1/a", "DELETE /v1/b", "POST /v1/users/{id}", "PUT /x/{path}"]
    );
    let echo = "package main\n\nimport \"github.com/labstack/echo/v4\"\n\nfunc main() {\n\te := echo.New()\n\tg := e.Group(\"/api\")\n\tg.GET(\"/u/:id\", get, mw)\n\te.Add(\"POST\", \"/z\", get)\n}\n";
    assert_eq!(lines(&[MOD, ("main.go", echo)]), ["GET /api/u/{id}", "POST /z"]);
    let fiber = "package main\n\nimport \"github.com/gofiber/fiber/v2\"\n\nfunc main() {\n\tapp := fiber.New()\n\tsetup(app)\n\tapp.Listen(\":3000\")\n}\n\nfunc setup(app *fiber.App) {\n\tapi := app.Group(\"/api\")\n\tapi.Get(\"/:name\", hi)\n}\n";
    assert_eq!(lines(&[MOD, ("main.go", fiber)]), ["GET /api/{name}"]);
    let mux = "package main\n\nimport (\n\t\"net/http\"\n\t\"github.com/gorilla/mux\"\n)\n\nfunc main() {\n\tr := mux.NewRouter()\n\tr.HandleFunc(\"/books/{id}\", h).Methods(\"GET\", \"PUT\")\n\
               \ts := r.PathPrefix(\"/api\").Subrouter()\n\ts.HandleFunc(\"/y\", h).Methods(http.MethodPost)\n\tr.Path(\"/p\").Methods(\"DELETE\").HandlerFunc(h)\n}\n";
    assert_eq!(
        lines(&[MOD, ("main.go", mux)]),
        ["POST /api/y", "GET /books/{id}", "PUT /books/{id}", "DELETE /p"]
    );
}

#[test]
fn handlers_that_nothing_is_seen_to_call() {
    let file = "package web\n\nimport \"github.com/gin-gonic/gin\"\n\ntype API struct{}\n\nfunc (a *API) Mount(r gin.IRouter) {\n\tr.GET(\"/unseen\", a.get)\n}\n";
    assert_eq!(lines(&[MOD, ("web/api.go", file)]), ["GET /unseen"]);
}

#[test]
fn handlers_say_what_they_read_the_body_into() {
    let gin = r#"package main

import "github.com/gin-gonic/gin"

func main() {
	r := gin.Default()
	r.POST("/users", create)
	r.PUT("/users/:id", func(c *gin.Context) {
		input := models.Update{}
		if err := c.ShouldBindJSON(&input); err != nil {
			return
		}
	})
	r.PATCH("/plain", func(c *gin.Context) {
		var data map[string]any
		c.BindJSON(&data)
	})
	r.DELETE("/users/:id", func(c *gin.Context) {})
	r.Run()
}

func create(c *gin.Context) {
	user := new(User)
	c.Bind(user)
}
"#;
    assert_eq!(bodies(&[MOD, ("main.go", gin)]), ["POST /users User", "PUT /users/{id} models.Update"]);
    let plain = r#"package main

import (
	"encoding/json"
	"net/http"
)

func add(w http.ResponseWriter, r *http.Request) {
	var list []Item
	json.NewDecoder(r.Body).Decode(&list)
}

func main() {
	http.HandleFunc("POST /items", add)
	http.HandleFunc("POST /odd", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Name string
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
	})
	http.ListenAndServe(":8080", nil)
}
"#;
    assert_eq!(
        bodies(&[MOD, ("main.go", plain)]),
        ["POST /items []Item", "POST /odd struct { Name string }"]
    );
}
