"""An Airflow task whose effect happens once in a run of its DAG, over its tries."""

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException


@dag(schedule=None, params={"order": "order-1", "amount": 5})
def checkout():
    @task(retries=3)
    def pay() -> str:
        import shop  # in the task: the file of a DAG is read again and again
        from jackfield import InvocationFailed

        context = get_current_context()
        here, params = context["ti"], context["params"]
        key = f"{here.dag_id}/{here.run_id}/{here.task_id}/{here.map_index}"
        try:
            return shop.charge(key, params["order"], params["amount"])
        except InvocationFailed as error:
            if error.result.error.retryable:
                raise
            raise AirflowFailException(str(error)) from error

    pay()


checkout()
