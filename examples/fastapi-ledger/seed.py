from app.database import Session
from app.models import Account, Entry

if __name__ == "__main__":
    with Session.begin() as session:
        session.add(Account(name="cash", entries=[Entry(cents=500), Entry(cents=-120)]))
        session.add(Account(name="bank"))
    print("two accounts")
