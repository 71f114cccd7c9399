"""A small shop, for tests that load a real application: Flask under gunicorn, one process with threads.

It keeps its own counts, by method and route, so that they can be compared with those of a load generator:
`GET /counts` gives them and is not counted itself.
"""

import threading
import uuid
from collections import Counter

from flask import Flask, abort, jsonify, redirect, request, session

app = Flask(__name__)
app.secret_key = "only-for-tests"

lock = threading.Lock()
counts = Counter()
tokens = set()
things = {}
logins = Counter()


@app.before_request
def count():
    if request.path != "/counts":
        route = request.url_rule.rule if request.url_rule else "unknown"
        with lock:
            counts[f"{request.method} {route}"] += 1


@app.get("/counts")
def show_counts():
    with lock:
        return jsonify(requests=dict(counts), logins=dict(logins))


@app.get("/")
def home():
    return "<html><body>Welcome to the shop</body></html>"


@app.get("/products/<int:number>")
def product(number):
    return jsonify(id=number, name=f"product {number}", price=number * 3)


@app.post("/login")
def login():
    """Takes the user from a form, a JSON document or basic authentication."""
    user = request.form.get("user") or (request.get_json(silent=True) or {}).get("user")
    if not user and request.authorization and request.authorization.type == "basic":
        user = request.authorization.username
    if not user:
        abort(400)
    token = uuid.uuid4().hex
    with lock:
        tokens.add(token)
        logins[user] += 1
    session["user"] = user
    return jsonify(token=token, user=user)


@app.post("/login/refresh")
def refresh():
    token = uuid.uuid4().hex
    with lock:
        tokens.discard((request.get_json(silent=True) or {}).get("token"))
        tokens.add(token)
    return jsonify(token=token)


@app.delete("/login")
def log_out():
    with lock:
        tokens.discard(bearer())
    return "", 204


@app.post("/logout")
def logout():
    session.clear()
    return "", 204


@app.get("/account")
def account():
    """Asks for the cookie of the login."""
    if "user" not in session:
        abort(401)
    return jsonify(user=session["user"])


def bearer():
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


@app.get("/orders")
def orders():
    """Asks for the token of the login."""
    if bearer() not in tokens:
        abort(401)
    return jsonify(orders=[])


@app.put("/orders/<identity>")
def order(identity):
    wanted = request.get_json(silent=True) or {}
    if not isinstance(wanted.get("amount"), int):
        abort(400)
    return jsonify(id=identity, **wanted)


@app.route("/me", methods=["GET", "PATCH"])
def me():
    """Asks for the token of the login."""
    if bearer() not in tokens:
        abort(401)
    return jsonify(name="Ada", **(request.get_json(silent=True) or {}))


@app.get("/admin")
def admin():
    login = request.authorization
    if not login or (login.username, login.password) != ("admin", "admin"):
        abort(401)
    return jsonify(users=len(logins))


@app.get("/news")
def news():
    return jsonify(page=int(request.args["page"]), language=request.args["lang"])


@app.get("/search")
def search():
    """Finds as many as the text that is searched for has letters."""
    return jsonify(query=request.args["q"], hits=len(request.args["q"]))


@app.get("/resources/<uuid:identity>")
def resource(identity):
    return jsonify(id=str(identity))


@app.get("/boards/<board>")
def board(board):
    links = "".join(f'<a href="/threads/{number}">a thread</a>' for number in range(1, 9))
    return f"<html><body><h1>{board}</h1>{links}</body></html>"


@app.get("/threads/<int:number>")
def thread(number):
    page = int(request.args.get("page", 1))
    return jsonify(id=number, page=page, more=page % 5 != 0)


@app.post("/threads/<int:number>/replies")
def reply(number):
    """Asks for a text and a photo."""
    if not request.form.get("text") or "photo" not in request.files:
        abort(400)
    return jsonify(thread=number, bytes=len(request.files["photo"].read())), 201


@app.get("/queue")
def queue():
    """Grows shorter from look to look, over and over."""
    with lock:
        length = 12 - 3 * (counts["GET /queue"] % 5)
    return jsonify(length=length, state="open" if length else "closed")


@app.post("/things")
def make_thing():
    """Begins something that is done once its state has been asked for three times."""
    number = (request.get_json(silent=True) or {}).get("n")
    identity = uuid.uuid4().hex
    with lock:
        things[identity] = 3
    return jsonify(id=identity, n=number, status="PENDING"), 202


@app.get("/things/<identity>")
def thing(identity):
    with lock:
        if identity not in things:
            abort(404)
        things[identity] -= 1
        is_done = things[identity] <= 0
    if not is_done:
        return jsonify(id=identity, status="PENDING")
    return jsonify(id=identity, status="ACTIVE", link=f"/things/{identity}/link")


@app.delete("/things/<identity>")
def drop_thing(identity):
    with lock:
        if things.pop(identity, None) is None:
            abort(404)
    return "", 204


@app.get("/things/<identity>/link")
def link(identity):
    if identity not in things:
        abort(404)
    return "here it is"


@app.get("/old")
def old():
    return redirect("/")


@app.get("/flaky")
def flaky():
    """Every third request fails."""
    with lock:
        failing = counts["GET /flaky"] % 3 == 0
    return ("no", 503) if failing else "yes"


@app.post("/upload")
def upload():
    sizes = {name: len(part.read()) for name, part in request.files.items()}
    return jsonify(files=sizes, fields=dict(request.form))
