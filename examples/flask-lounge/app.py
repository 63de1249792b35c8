import eventlet

eventlet.monkey_patch()

from flask import Flask
from flask_socketio import SocketIO, emit

app = Flask(__name__)
socketio = SocketIO(app, async_mode="eventlet")
said = []


@app.get("/")
def home():
    return {"said": said}


@socketio.on("say")
def say(text):
    said.append(text)
    emit("said", text, broadcast=True)
    return len(said)


if __name__ == "__main__":
    socketio.run(app, host="127.0.0.1", port=5000, debug=True)
